"""What the documents show is true: their recipes load, their names exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import genaudio
from genaudio.core.recipe import load_recipe

DOCS = Path(__file__).parents[2] / "docs"


def blocks(document: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / document).read_text(), re.DOTALL)


@pytest.mark.parametrize("text", blocks("recipes.md", "yaml"))
def test_the_recipes_of_the_documents_are_valid(text: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    load_recipe(path)


@pytest.mark.parametrize("path", sorted((DOCS.parent / "recipes").glob("*.yaml")), ids=lambda path: path.name)
def test_the_recipes_of_the_project_are_valid(path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.name


@pytest.mark.parametrize("document", ["recipes.md", "plugins.md"])
def test_the_python_of_the_documents_compiles_and_names_what_there_is(document: str) -> None:
    found = blocks(document, "python")
    assert found
    for text in found:
        compile(text, document, "exec")
        for name in re.findall(r"genaudio\.(\w+)\(", text):
            assert hasattr(genaudio, name)
        for names in re.findall(r"from genaudio import ([\w, ]+)", text):
            assert set(names.split(", ")) <= set(genaudio.__all__)


def test_the_error_that_the_documents_show_is_the_one_that_is_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("recipe.yaml").write_text("name: a\ndataset: procedural\nseed: 3\nsolver:\n  type: hern\n")
    with pytest.raises(genaudio.GenaudioError) as caught:
        load_recipe("recipe.yaml", ["training.steps=1_000"])
    shown = "\n".join("    " + line for line in str(caught.value).splitlines())
    assert shown in (DOCS / "recipes.md").read_text()

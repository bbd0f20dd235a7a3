"""The documents are true: their links lead somewhere, their Python runs, the files that they name exist."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

from genaudio.core.recipe import load_recipe
from genaudio.core.registry import Registry
from genaudio.plugins.testing import check_schedule

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
# A Python block, and the line before it: blocks that take minutes or need data carry this mark.
PYTHON = re.compile(r"(?:^([^\n]*)\n)?^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
NOT_EXECUTED = "<!-- not executed -->"
EXECUTED = (
    "python.md",
    "sampling.md",
    "guidance.md",
    "editing.md",
    "representation.md",
    "data.md",
    "training.md",
    "runs.md",
    "preconditioning.md",
    "schedules.md",
    "evaluate.md",
    "classifier.md",
    "audit-edmsound.md",
)


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as Python-Markdown and GitHub spell them for plain words."""
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE)
    return {re.sub(r"[\s]+", "-", re.sub(r"[^\w\s-]", "", heading.lower()).strip()) for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_internal_links_lead_to_files_and_headings_that_exist(document: Path) -> None:
    broken = []
    for target in LINK.findall(FENCE.sub("", document.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        path = (document.parent / file).resolve() if file else document
        if not path.exists() or (anchor and anchor not in anchors(path)):
            broken.append(target)
    assert not broken


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_python_in_the_documents_compiles(document: Path) -> None:
    for _, code in PYTHON.findall(document.read_text(encoding="utf-8")):
        compile(textwrap.dedent(code), name(document), "exec")


@pytest.mark.parametrize("page", EXECUTED)
def test_python_in_the_documents_runs(page: str, tiny_run: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """All blocks of a page, in order, in one namespace, where `runs/quickstart` is a run of two small classes."""
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "quickstart").symlink_to(tiny_run)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GENAUDIO_CACHE", str(tmp_path / "cache"))
    names: dict[str, Any] = {"__name__": page}
    for before, code in PYTHON.findall((ROOT / "docs" / page).read_text(encoding="utf-8")):
        if before.strip() != NOT_EXECUTED:
            exec(compile(code, page, "exec"), names)


def blocks(document: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", document.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("document", ["README.md", "docs/getting-started.md", "docs/data.md"])
def test_recipes_in_the_documents_are_valid(document: str, tmp_path: Path) -> None:
    """A whole recipe as it stands, a single block with the name that a recipe has beside it."""
    found = blocks(ROOT / document, "yaml")
    assert found
    for number, text in enumerate(found):
        path = tmp_path / f"recipe{number}.yaml"
        path.write_text(text if text.startswith("name:") else "name: block\n" + text, encoding="utf-8")
        load_recipe(path)


def test_the_plugin_of_the_readme_is_one() -> None:
    code = next(text for text in blocks(ROOT / "README.md", "python") if "hookimpl" in text)
    names: dict[str, Any] = {"__name__": "acme_schedules"}
    exec(compile(code, "README.md", "exec"), names)
    check_schedule(names["Uniform"]())
    registry = Registry("acme")
    names["genaudio_register"](registry)
    assert registry.entry("schedule", "acme/uniform").target == "acme_schedules:Uniform"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_files_of_the_repository_that_are_named_exist(document: Path) -> None:
    """Inline code that looks like a path below one of the repository's folders is one."""
    text = FENCE.sub("", document.read_text(encoding="utf-8"))
    named = re.findall(r"`((?:genaudio|recipes|docs|tests|benchmarks|examples)/[\w./-]+)`", text)
    assert not [path for path in named if not (ROOT / path).exists()]


def test_the_site_names_every_page_once() -> None:
    navigation = re.findall(r"([\w./-]+\.md)", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    pages = [path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")]
    assert sorted(navigation) == sorted(pages)


def test_the_bands_of_the_default_are_those_of_the_code() -> None:
    from genaudio.samplers.defaults import BANDS, BANDS_OF_MANY

    text = (ROOT / "docs" / "solvers.md").read_text(encoding="utf-8")
    for band in BANDS + BANDS_OF_MANY:
        corrector = "yes" if band.corrector else "no"
        solver = f"| `{band.basis}` | {band.scale:g} | {band.order} | {corrector} |"
        row = f"{solver} {band.centre:g}, {band.width_above:g}, {band.width_below:g}, {band.lowest:g} |"
        assert row in text

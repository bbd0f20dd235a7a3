"""The committed reference is what the code says, and the generator describes components as they are."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from genaudio.cli.app import app
from genaudio.core.registry import KINDS
from genaudio.plugins.builtin import BUILTINS

SCRIPT = Path(__file__).parents[2] / "docs" / "generate_reference.py"


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_reference", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pages(generator: ModuleType) -> dict[str, str]:
    found: dict[str, str] = generator.pages()
    return found


def test_the_committed_pages_are_those_that_the_code_gives(
    generator: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GENAUDIO_PLUGINS", "")
    status = generator.main(["--check"])
    assert status == 0, "run `python docs/generate_reference.py`\n" + capsys.readouterr().out


def test_every_built_in_stands_on_the_page_of_its_kind(pages: dict[str, str]) -> None:
    for kind, name, target, _ in BUILTINS:
        assert f"\n## {name}\n" in pages[f"{kind}.md"]
        assert f"`genaudio.{target}`" in pages[f"{kind}.md"]
    assert {f"{kind}.md" for kind in KINDS} | {"index.md", "cli.md", "settings.md"} == set(pages)


def test_a_field_shows_type_bounds_default_unit_and_source(pages: dict[str, str]) -> None:
    row = next(line for line in pages["representation.md"].splitlines() if line.startswith("| `n_fft`"))
    for text in ("integer, at least 4", "`510` samples", "EDMSound's public code"):
        assert text in row


def test_every_command_and_option_is_on_the_page(pages: dict[str, str]) -> None:
    for command in app.registered_commands:
        assert f"\n## gen {command.name}\n" in pages["cli.md"]
    row = next(line for line in pages["cli.md"].splitlines() if line.startswith("| `--num-steps N`"))
    assert row == "| `--num-steps N` | Budget in solver steps. |  |"
    assert "| `--format wav\\|flac` | wav or flac. | `wav` |" in pages["cli.md"]
    assert "--set TEXT" in pages["cli.md"]


def test_drift_is_shown_as_a_diff(generator: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("one\ntwo\n")
    (tmp_path / "gone.md").write_text("left over\n")
    difference = generator.drift({"a.md": "one\n2\n", "new.md": "fresh\n"}, tmp_path)
    for line in ("-two\n", "+2\n", "+fresh\n", "-left over\n"):
        assert line in difference
    assert generator.drift({"a.md": "one\ntwo\n", "gone.md": "left over\n"}, tmp_path) == ""


def test_cells_of_a_table_cannot_break_it(generator: ModuleType) -> None:
    text = generator.table(["a", "b"], [["x | y\nz", "runs/<name>"], ["`a|b`", "`<p>`"]])
    assert text.splitlines()[2:] == ["| x \\| y z | runs/&lt;name> |", "| `a\\|b` | `<p>` |"]

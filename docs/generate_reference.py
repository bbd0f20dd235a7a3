"""Writes `docs/reference/`: one page for each kind of component, the settings of a recipe, and the command line.

    python docs/generate_reference.py            write the pages
    python docs/generate_reference.py --check    write nothing; print a diff and exit with 1 if a page differs

Everything comes from the code: the registry's built-ins, their fields, the typer application. Third-party plugins are
left out, so that the pages are equal on every machine.
"""

from __future__ import annotations

import argparse
import difflib
import inspect
import sys
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel

import genaudio
from genaudio.cli.app import app
from genaudio.core.audit_settings import AuditSettings
from genaudio.core.fields import FieldCard, field_cards
from genaudio.core.recipe import Recipe
from genaudio.core.recipe_blocks import AUTO_BLOCKS, BLOCKS, LIST_BLOCKS, OPTIONAL_BLOCKS
from genaudio.core.registry import KINDS, Registry, kind_base
from genaudio.core.settings import EvaluationSettings, ReportSettings, SamplingSettings, TrainingSettings
from genaudio.core.yaml_writer import inline
from genaudio.plugins.manager import discover

FOLDER = Path(__file__).parent / "reference"
NOTE = "<!-- Written by docs/generate_reference.py. Do not edit. -->\n\n"
_VALUES = {bool: "", int: "N", float: "NUMBER", Path: "PATH", str: "TEXT"}
SETTINGS = (
    ("training", TrainingSettings),
    ("sampling", SamplingSettings),
    ("evaluation", EvaluationSettings),
    ("audit", AuditSettings),
    ("report", ReportSettings),
)


def pages() -> dict[str, str]:
    """The text of every page of the reference, by file name."""
    registry = discover("").registry
    found = {f"{kind}.md": kind_page(kind, registry) for kind in KINDS}
    found |= {"index.md": index_page(registry), "settings.md": settings_page(), "cli.md": cli_page()}
    return {name: NOTE + text for name, text in found.items()}


def index_page(registry: Registry) -> str:
    """The table of all kinds."""
    rows = [
        [f"[`{kind}`]({kind}.md)", known.summary, ", ".join(f"`{name}`" for name in registry.names(kind)) or "none yet"]
        for kind, known in KINDS.items()
    ]
    return (
        "# Reference\n\nGenerated from the code. `gen list` and `gen describe KIND NAME` show the same, with the "
        "components of the plugins that you have installed.\n\n"
        + table(["kind", "what it is", "built-in"], rows)
        + "\nBeside the components: the [settings of a recipe](settings.md) and the [command line](cli.md).\n"
    )


def kind_page(kind: str, registry: Registry) -> str:
    """One kind: its contract, then each built-in component with its fields."""
    known, base = KINDS[kind], kind_base(kind)
    text = f"# {kind}\n\n{known.summary}.\n\n"
    text += contract(base)
    entries = registry.entries(kind)
    for shared_base in _shared_bases(base, [registry.load(kind, entry.name) for entry in entries]):
        text += "\n" + contract(shared_base)
    if not entries:
        return text + "\nThere is no built-in component of this kind yet; a plugin may provide one.\n"
    shared = {card.name for card in field_cards(base)}
    for entry in entries:
        cls = registry.load(kind, entry.name)
        text += f"\n## {entry.name}\n\n{entry.summary}. `{entry.target}`\n\n{inspect.cleandoc(cls.__doc__ or '')}\n\n"
        if isinstance(source := getattr(cls, "source", None), str):
            text += f"Data: {source}.\n\n"
        own = sorted(field_cards(cls), key=lambda card: card.name in shared)
        text += fields_table(own) if own else "It has no parameters.\n"
    return text


def contract(base: type[BaseModel]) -> str:
    """What a base class asks for: the abstract methods that it declares, with the first paragraph of each."""
    path = f"{base.__module__.replace('.', '/')}.py"
    public = f"genaudio.{base.__name__}" if base.__name__ in genaudio.__all__ else base.__name__
    text = f"Base class `{public}` (`{path}`): {inspect.cleandoc(base.__doc__ or '')}\n"
    methods: frozenset[str] = getattr(base, "__abstractmethods__", frozenset())
    lines = []
    for attribute, value in vars(base).items():
        if attribute not in methods:
            continue
        function = value.fget if isinstance(value, property) else value
        signature = "" if isinstance(value, property) else _signature(function)
        lines.append(f"- `{attribute}{signature}`: {_first_paragraph(inspect.cleandoc(function.__doc__ or ''))}")
    return text + ("\nA component provides\n\n" + "\n".join(lines) + "\n" if lines else "")


def _shared_bases(base: type[BaseModel], classes: list[type[BaseModel]]) -> list[type[BaseModel]]:
    """The abstract classes between a kind's base and its built-ins, in the order in which they are met."""
    between = [cls for leaf in classes for cls in leaf.__mro__[1:] if issubclass(cls, base) and cls is not base]
    return [cls for cls in dict.fromkeys(between) if inspect.isabstract(cls)]


def _signature(function: Any) -> str:
    """The parameters of a method as a caller writes them, without annotations."""
    parameters = list(inspect.signature(function).parameters.values())[1:]
    plain = [p.replace(annotation=inspect.Parameter.empty) for p in parameters]
    return str(inspect.Signature(plain))


def _first_paragraph(text: str) -> str:
    return " ".join(text.split("\n\n")[0].split())


def settings_page() -> str:
    """The fields of a recipe that are no components."""
    top = [card for card in field_cards(Recipe) if card.name not in (*BLOCKS, *(name for name, _ in SETTINGS))]
    text = "# Settings\n\nThe keys of a recipe, beside the fields of its components.\n\n## The recipe itself\n\n"
    text += fields_table(top) + "\n## Component blocks\n\n"
    rows = []
    for kind in BLOCKS:
        card = next(card for card in field_cards(Recipe) if card.name == kind)
        default = "required" if card.required else f"`{inline(plain(card.default))}`"
        also = (", or `null`" if kind in OPTIONAL_BLOCKS else "") + (", or a list" if kind in LIST_BLOCKS else "")
        also += ", or `auto`: what the preconditioner was published with" if kind in AUTO_BLOCKS else ""
        rows.append([f"`{kind}`", default, f"the name of a [{kind}]({kind}.md), or a mapping with `type`{also}"])
    text += table(["block", "default", "value"], rows)
    for name, cls in SETTINGS:
        text += f"\n## {name}\n\n{inspect.cleandoc(cls.__doc__ or '')}\n\n{fields_table(field_cards(cls))}"
    return text


def cli_page() -> str:
    """Every command of `gen` with its arguments and options, from the signatures of the functions behind them."""
    text = f"# Command line\n\n{app.info.help}\n\n## gen\n\n"
    text += parameters_table(app.registered_callback.callback) if app.registered_callback else ""
    text += (
        "\nExit codes: 0 done, 1 an unexpected error, 2 something to mend, 130 interrupted. `--debug` and `--version` "
        "stand before the command: `gen --debug run recipe.yaml`.\n"
    )
    for command in app.registered_commands:
        words = [parameter.words for parameter in cli_parameters(command.callback) if parameter.positional]
        usage = " ".join(["gen", str(command.name), *words, "[OPTIONS]"])
        summary = inspect.cleandoc(getattr(command.callback, "__doc__", None) or "")
        text += f"\n## gen {command.name}\n\n{summary}\n\n    {usage}\n\n{parameters_table(command.callback)}"
    return text


@dataclass(frozen=True)
class CliParameter:
    """One argument or option: how it is written, what it means, and its default as text."""

    positional: bool
    words: str
    help: str
    default: str


def cli_parameters(function: Any) -> list[CliParameter]:
    """The arguments and options that the annotations of a command's function declare."""
    found = []
    for name, parameter in inspect.signature(function).parameters.items():
        hint = typing.get_type_hints(function, include_extras=True)[name]
        if typing.get_origin(hint) is not typing.Annotated:
            continue  # the context
        given, info = typing.get_args(hint)[:2]
        required = parameter.default is inspect.Parameter.empty
        empty = parameter.default is None or parameter.default is False
        default = "required" if required else "" if empty else f"`{parameter.default}`"
        if isinstance(info, typer.models.ArgumentInfo):
            words = name.upper() if required else f"[{name.upper()}]"
            found.append(CliParameter(True, words, info.help or "", default))
        elif isinstance(info, typer.models.OptionInfo):
            # Within `Annotated` there is no default: what stands in its place is the first name.
            first = [info.default] if isinstance(info.default, str) else []
            declared = [*first, *(info.param_decls or ())] or [f"--{name.replace('_', '-')}"]
            words = ", ".join(declared) + (f" {value}" if (value := _value_name(given)) else "")
            found.append(CliParameter(False, words, info.help or "", default))
    return found


def parameters_table(function: Any) -> str:
    """Arguments and options of one command."""
    return table(["", "", "default"], [[f"`{p.words}`", p.help, p.default] for p in cli_parameters(function)])


def _value_name(hint: Any) -> str:
    """What stands for the value of an option: `N`, `PATH`, `wav|flac`; nothing for a flag."""
    if typing.get_origin(hint) is typing.Literal:
        return "|".join(typing.get_args(hint))
    for option in (hint, *typing.get_args(hint)):
        inner = typing.get_args(option) if typing.get_origin(option) is list else (option,)
        for one in inner:
            if one in _VALUES:
                return _VALUES[one]
    return "VALUE"


def fields_table(cards: list[FieldCard]) -> str:
    """Fields with type, bounds, default, unit and source."""
    rows = []
    for card in cards:
        kind = ", ".join(part for part in (card.type, card.bounds) if part)
        default = "required" if card.required else f"`{inline(plain(card.default))}`"
        default += f" {card.unit}" if card.unit and not card.required and card.default is not None else ""
        meaning = card.description + (f" [{card.unit}]" if card.unit and card.required else "")
        rows.append([f"`{card.name}`", kind, default, meaning + (f" ({card.source})" if card.source else "")])
    return table(["field", "type", "default", "meaning"], rows)


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; pipes, line breaks and angle brackets in its cells do no harm."""

    def safe(cell: str) -> str:
        cell = " ".join(cell.split()).replace("|", "\\|")
        parts = cell.split("`")  # every other part is code, where an angle bracket stands for itself
        return "`".join(part.replace("<", "&lt;") if k % 2 == 0 else part for k, part in enumerate(parts))

    def line(cells: list[str]) -> str:
        return "| " + " | ".join(safe(cell) for cell in cells) + " |\n"

    return line(head) + "|" + "---|" * len(head) + "\n" + "".join(line(row) for row in rows)


def plain(value: Any) -> Any:
    """A default as YAML can hold it."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return list(value) if isinstance(value, tuple) else value


def drift(wanted: Mapping[str, str], folder: Path = FOLDER) -> str:
    """A unified diff from the pages in `folder` to the wanted ones; empty if they are equal."""
    names = sorted({*wanted, *(path.name for path in folder.glob("*.md"))})
    lines: list[str] = []
    for name in names:
        path = folder / name
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        new = wanted.get(name, "")
        lines += difflib.unified_diff(
            old.splitlines(keepends=True), new.splitlines(keepends=True), f"{name} (committed)", f"{name} (from code)"
        )
    return "".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Write the pages, or check them; returns the exit status."""
    parser = argparse.ArgumentParser(description="Write docs/reference/ from the code.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 and a diff if a page differs")
    wanted, options = pages(), parser.parse_args(arguments)
    if options.check:
        difference = drift(wanted)
        sys.stdout.write(difference)
        return 1 if difference else 0
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.glob("*.md"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

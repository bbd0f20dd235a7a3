"""The surface of the command line, frozen: commands, their options, exit codes."""

from __future__ import annotations

import pytest
import typer

from genaudio.cli.app import app, main

EDITING = [
    *("--seed", "--nfe", "--num-steps", "--set", "--first-index", "--batch-size", "--format", "--bit-depth"),
    *("--device", "--quiet"),
]
SURFACE = {
    "run": ["recipe", "--out", "--set", "--only", "--until", "--force", "--quiet"],
    "sample": [
        "model",
        "--out",
        "--label",
        "--count",
        "--seed",
        "--nfe",
        "--num-steps",
        "--set",
        "--noise",
        "--reject-copies",
        "--tries",
        "--first-index",
        "--batch-size",
        "--format",
        "--bit-depth",
        "--device",
        "--quiet",
    ],
    "vary": ["model", "clip", "--out", "--strength", "--count", "--label", "--start", *EDITING],
    "inpaint": [
        *("model", "clip", "--out", "--span", "--band", "--resample", "--count", "--label", "--start"),
        *EDITING,
    ],
    "invert": [
        *("model", "clip", "--out", "--label", "--start", "--nfe", "--num-steps", "--set", "--device", "--quiet"),
    ],
    "export": ["run", "--out", "--checkpoint"],
    "evaluate": [
        *("--generated", "--reference", "--metric", "--embedding", "--split", "--json", "--save-reference"),
        *("--device", "--quiet"),
    ],
    "audit": [
        *("--generated", "--training", "--held-out", "--set", "--embedding", "--window", "--tune", "--search"),
        *("--json", "--page"),
        *("--fail-above", "--device", "--quiet"),
    ],
    "write-memory": ["recipe", "--out", "--set", "--limit", "--quiet"],
    "bench-samplers": [
        "run",
        "--solver",
        "--schedule",
        "--nfe",
        "--items",
        "--label",
        "--metric",
        "--embedding",
        "--tolerance",
        "--reference-steps",
        "--out",
        "--seed",
        "--device",
        "--quiet",
    ],
    "tune-schedule": [
        "run",
        "--nfe",
        "--set",
        "--items",
        "--label",
        "--seed",
        "--evaluations",
        "--budget-seconds",
        "--reference-steps",
        "--move-last",
        "--device",
        "--quiet",
    ],
    "train-classifier": ["source", "--out", "--set", "--steps", "--seed", "--device", "--json", "--quiet"],
    "init": ["path", "--force"],
    "check": ["recipe", "--set", "--resolved", "--json"],
    "schema": ["--out"],
    "list": ["kind", "--json"],
    "describe": ["kind", "name", "--json"],
    "plugins": ["--json", "--traceback"],
}


def names(command: object) -> list[str]:
    parameters = getattr(command, "params")  # noqa: B009 - typer's classes for these are private
    return [
        max(parameter.opts, key=len) if parameter.param_type_name == "option" else parameter.name
        for parameter in parameters
        if "--help" not in parameter.opts
    ]


def test_the_commands_and_their_options_are_these() -> None:
    group = typer.main.get_command(app)
    assert {name: names(command) for name, command in group.commands.items()} == SURFACE  # type: ignore[attr-defined]
    assert names(group) == ["--debug", "--version"]


@pytest.mark.parametrize("command", SURFACE)
def test_every_command_and_option_is_explained(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    group = typer.main.get_command(app)
    assert all(getattr(parameter, "help", "x") for parameter in group.commands[command].params)  # type: ignore[attr-defined]
    assert f"gen {command}" in text


def test_help_shows_every_command_with_its_whole_summary(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert all(f"  {command} " in text for command in SURFACE)
    assert "..." not in text.split("Commands:")[1]

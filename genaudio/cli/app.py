"""The command `gen`: its commands, and what becomes of errors. Command modules import nothing heavy at module level."""

from __future__ import annotations

import errno
import shlex
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from genaudio.cli.audit import audit
from genaudio.cli.bench_samplers import bench_samplers
from genaudio.cli.check import check
from genaudio.cli.describe import describe
from genaudio.cli.evaluate import evaluate
from genaudio.cli.export import export
from genaudio.cli.init import init
from genaudio.cli.inpaint import inpaint
from genaudio.cli.interrupt import quiet_while_importing
from genaudio.cli.invert import invert
from genaudio.cli.listing import list_components
from genaudio.cli.plugins import plugins
from genaudio.cli.run import run
from genaudio.cli.sample import sample
from genaudio.cli.schema import schema
from genaudio.cli.train_classifier import train_classifier
from genaudio.cli.tune_schedule import tune_schedule
from genaudio.cli.vary import vary
from genaudio.cli.write_memory import write_memory
from genaudio.core.errors import GenaudioError


@dataclass
class Options:
    """Options of `gen` itself, before the command."""

    debug: bool = False


app = typer.Typer(
    name="gen",
    help="Train generative models of audio, sample from them, and look at what they do.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _show_version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        typer.echo(f"genaudio {version('genaudio')}")
        raise typer.Exit


@app.callback()
def _global_options(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    context.ensure_object(Options).debug = debug


for _name, _command, _summary in (
    ("run", run, "Train, sample, evaluate, audit and report."),
    ("sample", sample, "Generate clips from a trained model."),
    ("vary", vary, "Make variations of a clip."),
    ("inpaint", inpaint, "Make parts of a clip anew."),
    ("invert", invert, "Find the noise that a clip comes from."),
    ("evaluate", evaluate, "Measure generated clips beside real ones."),
    ("audit", audit, "Search generated clips for copies of training clips."),
    ("bench-samplers", bench_samplers, "Compare samplers on a trained model."),
    ("tune-schedule", tune_schedule, "Optimise the noise levels of a trained model."),
    ("train-classifier", train_classifier, "Train the classifier that metrics hear with."),
    ("write-memory", write_memory, "Write the training clips that guidance leads away from."),
    ("export", export, "Copy a trained model into a folder of its own."),
    ("init", init, "Write a commented starter recipe."),
    ("check", check, "Check a recipe without running it."),
    ("schema", schema, "Print the JSON Schema of recipes."),
    ("list", list_components, "List the components there are."),
    ("describe", describe, "Describe a component and its parameters."),
    ("plugins", plugins, "List plugins, and why a broken one failed."),
):
    app.command(_name, short_help=_summary)(_command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `gen` and exit: 0 done, 1 an unexpected error, 2 something to mend, 130 interrupted."""
    options = Options()
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with quiet_while_importing():
            typer.main.get_command(app).main(words, prog_name="gen", obj=options)
    except GenaudioError as error:
        _explain(str(error), options)
        sys.exit(error.exit_code)
    except SystemExit as end:
        if end.code == 130:  # what typer makes of Ctrl-C
            typer.echo("interrupted", err=True)
        raise
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        mend = "\n    mend      free some space, and give the same command again" if full else ""
        _explain(f"{where}{error.strerror or error}{mend}", options)
        sys.exit(2)
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        sys.exit(130)
    except Exception as error:
        if isinstance(error.__cause__, KeyboardInterrupt):  # what Python 3.11 makes of Ctrl-C while a class is created
            typer.echo("interrupted", err=True)
            sys.exit(130)
        summary = f"{type(error).__name__}: {error}".splitlines()[0]
        _explain(
            f"unexpected error: {summary}\n    mend      run with --debug: gen --debug {shlex.join(words)}", options
        )
        sys.exit(1)


def _explain(text: str, options: Options) -> None:
    if options.debug:
        traceback.print_exc()
    typer.echo(text, err=True)

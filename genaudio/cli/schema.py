"""`gen schema`: the JSON Schema of recipes, for editors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def schema(
    out: Annotated[Path | None, typer.Option("--out", help="File to write; default: print it.")] = None,
) -> None:
    """Print the JSON Schema of recipes, with the components of installed plugins."""
    from genaudio.core.json_schema import recipe_schema
    from genaudio.plugins.manager import registry

    text = json.dumps(recipe_schema(registry()), indent=2, ensure_ascii=False) + "\n"
    if out is None:
        typer.echo(text, nl=False)
        return
    write_text(out, text)
    typer.echo(out)


def write_text(path: Path, text: str) -> None:
    """Write a text file beside its place, then rename it; a folder that is not there is made."""
    import os
    import tempfile

    from genaudio.core.errors import GenaudioError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as file:
            file.write(text)
        umask = os.umask(0)
        os.umask(umask)
        Path(file.name).chmod(0o666 & ~umask)
        Path(file.name).replace(path)
    except OSError as error:
        raise GenaudioError(
            f"{path} cannot be written: {error.strerror or error}", expected="a writable path"
        ) from None

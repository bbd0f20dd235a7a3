"""`gen init`: a commented recipe to start from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

STARTER = """\
# yaml-language-server: $schema={schema}
#
# A recipe: everything that a run depends on. Whatever is left out takes its default.
#
#   gen check {file} --resolved     every value, and where it came from
#   gen run {file}                  train, sample, evaluate, audit, report
#   gen list, gen describe KIND NAME    what may be written here
#
version: 1
name: {name}
seed: 0              # all randomness of the run derives from it
device: auto         # auto, cpu, cuda, cuda:N or mps

# Where the clips come from: sounds synthesised from the seed. For your own, one sub-folder a class:
#   dataset: {{type: folder, root: my_sounds, sample_rate: 16000, duration: 1.0}}
dataset:
  type: procedural
  sample_rate: 16000 # Hz
  duration: 1.0      # s

# Components, each with its parameters or by its bare name.
representation: complex_stft
network:
  type: efficient_unet
  preset: tiny       # tiny, small or base for a CPU; edmsound is the published one, for a GPU
conditioner: label   # null: no classes
preconditioner: edm
noise: auto          # the one that the preconditioner was published with
schedule: auto       # what measured best for the budget; `gen list schedule` for others
solver: auto
guidance:            # null: none
  type: cfg
  scale: 2.0

training:
  steps: 2000
  batch_size: 8
  learning_rate: 2.0e-3
  decay: cosine
  ema_decay: 0.995

sampling:
  clips_per_class: 4
  nfe: 20            # evaluations of the network for each clip
"""


def init(
    path: Annotated[Path, typer.Argument(help="File to write.")] = Path("recipe.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Write over what is there.")] = False,
) -> None:
    """Write a commented starter recipe, and its JSON Schema beside it for editors."""
    import re

    from genaudio.cli.schema import write_text
    from genaudio.core.errors import GenaudioError
    from genaudio.core.json_schema import recipe_schema
    from genaudio.plugins.manager import registry

    if path.is_dir():
        path = path / "recipe.yaml"
    schema = path.with_name("genaudio.schema.json")
    if path.exists() and not force:
        raise GenaudioError(f"{path} exists", expected="a path where nothing is", mend="choose another, or --force")
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).strip("-._") or "recipe"
    write_text(schema, json.dumps(recipe_schema(registry()), indent=2, ensure_ascii=False) + "\n")
    write_text(path, STARTER.format(schema=schema.name, file=path, name=name))
    typer.echo(f"{path} (and {schema}, which editors read)")

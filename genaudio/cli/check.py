"""`gen check`: is a recipe right, and what does it say in full?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def check(
    recipe: Annotated[Path, typer.Argument(help="The recipe to check.")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Override a value of the recipe: training.steps=100. Repeatable.")
    ] = None,
    resolved: Annotated[
        bool, typer.Option("--resolved", help="Print every value, and whether default, recipe or override set it.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the resolved recipe as JSON.")] = False,
) -> None:
    """Check a recipe without running it; everything that is wrong with it is shown at once."""
    from genaudio.core.recipe import LoadedRecipe, open_recipe
    from genaudio.core.yaml_positions import Path_
    from genaudio.core.yaml_writer import to_yaml
    from genaudio.runs.evaluation.checks import check_recipe
    from genaudio.runs.recipe_sampling import check_sampler

    loaded: LoadedRecipe = open_recipe(recipe, set_ or ())
    for notice in loaded.notices:
        typer.echo(notice, err=True)
    with loaded.placing():
        check_sampler(loaded.recipe)
        left_out = check_recipe(loaded.recipe)
    for problem in loaded.placed(left_out):
        typer.echo(problem, err=True)

    def origin(path: Path_) -> str:
        source, position = loaded.origin(path)
        return f"{source}  {position}" if position else source

    if as_json:
        typer.echo(json.dumps(loaded.recipe.to_mapping(), indent=2, ensure_ascii=False))
    elif resolved:
        typer.echo(to_yaml(loaded.recipe.to_mapping(), origin), nl=False)
    else:
        typer.echo(f"{recipe} is a valid recipe")

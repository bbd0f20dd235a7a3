"""`noise: auto`, and a noise block that is left out: what the preconditioner was published with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from genaudio.core.errors import RecipeError
from genaudio.core.json_schema import recipe_schema
from genaudio.core.recipe import Recipe, open_recipe, recipe_from_mapping
from genaudio.plugins.manager import registry
from genaudio.preconditioners.edm import EDM
from genaudio.preconditioners.flow import Flow
from genaudio.training.noise.flow import Flow as FlowNoise
from genaudio.training.noise.log_normal import LogNormal
from genaudio.training.noise.log_uniform import LogUniform
from genaudio.training.noise.vp import VP

SMALLEST = {"name": "test", "dataset": "procedural"}
PUBLISHED = {"edm": "log_normal", "vp": "vp", "ve": "log_uniform", "velocity": "cosine", "flow": "flow"}
AUTO: list[dict[str, Any]] = [{}, {"noise": "auto"}, {"noise": {"type": "auto"}}]


@pytest.mark.parametrize("block", AUTO, ids=str)
@pytest.mark.parametrize("name", registry().names("preconditioner"))
def test_each_preconditioner_brings_its_own_and_the_resolved_recipe_shows_it(name: str, block: dict[str, Any]) -> None:
    recipe = recipe_from_mapping({**SMALLEST, "preconditioner": name, **block})
    assert recipe.type_name("noise") == PUBLISHED[name]
    plain = recipe.to_mapping()
    assert plain["noise"]["type"] == PUBLISHED[name]
    assert plain["noise"].keys() == {"type", *type(recipe.noise).model_fields}
    assert recipe_from_mapping(plain) == recipe


def test_it_follows_the_fields_of_the_preconditioner() -> None:
    ve = {"type": "ve", "sigma_max": 50.0}
    assert recipe_from_mapping({**SMALLEST, "preconditioner": ve}).noise == LogUniform(sigma_max=50.0)
    vp = {"type": "vp", "beta_d": 10.0}
    assert recipe_from_mapping({**SMALLEST, "preconditioner": vp}).noise == VP(beta_d=10.0)


def test_a_recipe_made_in_python_takes_it_too() -> None:
    assert Recipe(name="test", dataset="procedural", preconditioner=Flow()).noise == FlowNoise()
    assert Recipe(name="test", dataset="procedural", preconditioner=EDM(), noise="auto").noise == LogNormal()


def test_fields_beside_auto_change_the_published_one() -> None:
    recipe = recipe_from_mapping({**SMALLEST, "noise": {"type": "auto", "std": 1.0}})
    assert recipe.noise == LogNormal(mean=-1.2, std=1.0)


def test_a_noise_that_is_named_stays_whatever_the_preconditioner() -> None:
    recipe = recipe_from_mapping({**SMALLEST, "noise": {"type": "log_normal", "mean": -3.0}}, ["preconditioner=flow"])
    assert recipe.noise == LogNormal(mean=-3.0)


@pytest.mark.parametrize(
    ("block", "overrides", "expected"),
    [
        ({}, ["noise.std=1"], LogNormal(std=1.0)),
        ({}, ["preconditioner=flow"], FlowNoise()),
        ({}, ["noise.shift=3", "preconditioner=flow"], FlowNoise(shift=3.0)),
        ({}, ["noise=log_uniform", "noise.sigma_max=9"], LogUniform(sigma_max=9.0)),
        ({"noise": "auto"}, ["noise.mean=-2"], LogNormal(mean=-2.0)),
        ({"noise": {"type": "auto", "mean": -2.0}}, ["noise.std=1"], LogNormal(mean=-2.0, std=1.0)),
        ({"noise": {"type": "log_normal", "mean": -2.0}}, ["noise=auto"], LogNormal()),
        ({"noise": {"type": "log_normal", "mean": -2.0}}, ["noise.std=1"], LogNormal(mean=-2.0, std=1.0)),
    ],
    ids=str,
)
def test_overrides(block: dict[str, Any], overrides: list[str], expected: object) -> None:
    assert recipe_from_mapping({**SMALLEST, **block}, overrides).noise == expected


@pytest.mark.parametrize(
    ("text", "overrides", "origins"),
    [
        ("", [], ("default", "default", "default")),
        ("", ["noise.std=1"], ("default", "default", "override")),
        ("noise: auto\n", [], ("recipe", "default", "default")),
        ("noise: {type: auto, mean: -2}\n", ["noise.std=1"], ("recipe", "recipe", "override")),
    ],
)
def test_each_value_knows_where_it_came_from(
    text: str, overrides: list[str], origins: tuple[str, ...], tmp_path: Path
) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(f"name: test\ndataset: procedural\n{text}")
    loaded = open_recipe(path, overrides)
    assert tuple(loaded.origin(("noise", key))[0] for key in ("type", "mean", "std")) == origins


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("noise: {type: auto, stdd: 1}\n", ":3:21  noise.stdd", ["one of mean, std", "did you mean 'std'?"]),
        ("noise: {type: auto, std: 0}\n", ":3:26  noise.std", ["given     0", "above 0"]),
        ("preconditioner: ve\nnoise: {type: auto, std: 1}\n", ":4:21  noise.std", ["one of sigma_min, sigma_max"]),
        ("noise: atuo\n", ":3:8  noise.type", ["noise 'atuo'", "one of auto, log_normal", "did you mean 'auto'?"]),
        ("noise: {std: 1}\n", ":3:1  noise.type", ["nothing", "one of auto, log_normal"]),
        ("noise: 3\n", ":3:8  noise", ["given     3", "the name of a noise: auto, log_normal"]),
        ("solver: auto\n", ":3:9  solver.type", ["solver 'auto'", "one of euler"]),
    ],
)
def test_mistakes(text: str, place: str, words: list[str], tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(f"name: test\ndataset: procedural\n{text}")
    with pytest.raises(RecipeError) as caught:
        open_recipe(path)
    assert len(caught.value.problems) == 1
    assert f"{path}{place}\n" in str(caught.value)
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize("noise", ["auto", {"type": "auto", "std": 1.0}])
def test_a_preconditioner_that_is_wrong_is_the_only_problem(noise: object) -> None:
    with pytest.raises(RecipeError) as caught:
        recipe_from_mapping({**SMALLEST, "preconditioner": {"type": "edm", "sigma_min": 0}, "noise": noise})
    assert [problem.path for problem in caught.value.problems] == ["preconditioner.sigma_min"]


def test_the_schema_takes_auto_for_noise_alone() -> None:
    schema = recipe_schema(registry())
    validator = jsonschema.Draft202012Validator(schema)
    for block in (*AUTO, {"noise": {"type": "auto", "std": 1.0}}):
        validator.validate({**SMALLEST, **block})
    assert schema["properties"]["noise"]["default"] == "auto"
    assert list(validator.iter_errors({**SMALLEST, "solver": "auto"}))
    assert list(validator.iter_errors({**SMALLEST, "noise": {"std": 1.0}}))

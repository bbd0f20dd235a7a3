"""Recipes: defaults, shorthand, round trip, overrides, provenance."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from genaudio.core.errors import GenaudioError, Problem, RecipeError
from genaudio.core.recipe import (
    LoadedRecipe,
    Recipe,
    load_recipe,
    open_recipe,
    recipe_from_mapping,
)
from genaudio.core.recipe_blocks import BLOCKS
from genaudio.samplers.auto import Auto
from genaudio.samplers.base import Solver
from genaudio.samplers.euler import Euler
from genaudio.samplers.exponential_integrator import ExponentialIntegrator
from genaudio.samplers.heun import Heun

SMALLEST = {"name": "test", "dataset": "procedural"}

FULL = """\
# everything that may be written
version: 1
name: full
seed: 7
device: cuda:1
dataset: {type: procedural, sample_rate: 22050}
representation: complex_stft
network:
  type: efficient_unet
  preset: tiny
  first_kernels: [3, 5]
conditioner: {type: label, dropout: 0.2}
preconditioner: {type: edm, sigma_data: 0.5, sigma_max: 40}
noise: &n {type: log_normal, mean: -3, std: 1.0}
schedule: {type: karras, rho: 9}
solver: {type: heun, s_churn: 10.0}
guidance: {type: cfg, scale: 3}
training: {steps: 100, gradient_clip: null}
sampling: {labels: [rain, engine], nfe: 15, format: flac}
report: {clips_per_class: 1}
"""


@pytest.fixture
def full(tmp_path: Path) -> Path:
    path = tmp_path / "full.yaml"
    path.write_text(FULL)
    return path


def test_what_is_left_out_takes_the_defaults() -> None:
    recipe = recipe_from_mapping(SMALLEST)
    assert {kind: recipe.type_name(kind) for kind in BLOCKS} == {
        "dataset": "procedural",
        "representation": "complex_stft",
        "network": "efficient_unet",
        "conditioner": "label",
        "preconditioner": "edm",
        "noise": "log_normal",
        "schedule": "auto",
        "solver": "auto",
        "guidance": None,
        "embedding": "classifier",
        "metric": "fad + kad",
    }
    assert (recipe.version, recipe.seed, recipe.device, recipe.guidance) == (1, 0, "auto", None)


def test_blocks_are_components_of_their_kind(full: Path) -> None:
    recipe = load_recipe(full)
    assert isinstance(recipe.solver, Solver)
    assert isinstance(recipe.solver, Heun)
    assert recipe.solver.s_churn == 10.0
    assert recipe.training.gradient_clip is None
    assert recipe.sampling.labels == ("rain", "engine")


def test_a_bare_name_is_a_component_with_its_defaults() -> None:
    short = recipe_from_mapping({**SMALLEST, "solver": "heun"})
    assert short == recipe_from_mapping({**SMALLEST, "solver": {"type": "heun"}})


def test_a_component_instance_may_stand_for_its_block() -> None:
    recipe = Recipe(name="test", dataset="procedural", solver=Heun(s_churn=3.0))
    assert recipe.to_mapping()["solver"]["type"] == "heun"
    assert recipe == recipe_from_mapping({**SMALLEST, "solver": {"type": "heun", "s_churn": 3.0}})


def test_an_instance_of_another_kind_is_refused() -> None:
    with pytest.raises(ValidationError, match="not registered as a schedule"):
        Recipe(name="test", dataset="procedural", schedule=Heun())


@pytest.mark.parametrize("text", [FULL, "name: test\ndataset: procedural\n"])
def test_the_resolved_recipe_reads_back_equal(text: str, tmp_path: Path) -> None:
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text(text)
    recipe = load_recipe(first)
    second.write_text(recipe.to_yaml())
    assert load_recipe(second) == recipe
    assert load_recipe(second).to_yaml() == recipe.to_yaml()
    assert recipe_from_mapping(recipe.to_mapping()) == recipe


def test_a_recipe_is_frozen() -> None:
    recipe = recipe_from_mapping(SMALLEST)
    with pytest.raises(ValidationError, match="frozen"):
        recipe.seed = 1  # type: ignore[misc]


def test_the_mapping_that_is_given_is_left_untouched() -> None:
    given = {"name": "test", "dataset": {"type": "procedural"}, "training": {"steps": 5}}
    recipe_from_mapping(given, ["training.steps=6", "dataset.sample_rate=22050"])
    assert given == {"name": "test", "dataset": {"type": "procedural"}, "training": {"steps": 5}}


def test_errors_of_a_mapping_name_its_source() -> None:
    with pytest.raises(RecipeError, match=r"^model\.json  seed\n"):
        recipe_from_mapping({**SMALLEST, "seed": -1}, source="model.json")


def test_anchors_and_merge_keys_are_followed(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(
        "name: test\ndataset: procedural\nsampling: &s {labels: &l [rain], nfe: 9}\nreport: {max_classes: 2}\n"
        "training: {<<: {steps: 3, batch_size: 4}, steps: 5}\n"
    )
    recipe = load_recipe(path)
    assert (recipe.training.steps, recipe.training.batch_size) == (5, 4)


# -- overrides ---------------------------------------------------------------------------------------------------------


def test_overrides_are_yaml_values_on_the_raw_recipe(full: Path) -> None:
    recipe = load_recipe(
        full,
        [
            "training.learning_rate=1e-3",
            "network.first_kernels.1=7",
            "sampling.labels=[rain]",
            "guidance=null",
            "report.max_classes=2",
        ],
    )
    assert recipe.training.learning_rate == 1e-3
    assert recipe.network.first_kernels == (3, 7)  # type: ignore[attr-defined]
    assert recipe.sampling.labels == ("rain",)
    assert recipe.guidance is None
    assert recipe.training.steps == 100


def test_a_later_override_wins(full: Path) -> None:
    assert load_recipe(full, ["seed=1", "seed=2"]).seed == 2


@pytest.mark.parametrize("text", ["solver=exponential_integrator", "solver.type=exponential_integrator"])
def test_a_changed_type_drops_the_keys_of_the_old_one_and_says_so(text: str, full: Path) -> None:
    loaded = open_recipe(full, [text])
    assert loaded.recipe.solver == ExponentialIntegrator()
    assert loaded.notices == (
        "solver: heun → exponential_integrator, so these keys of the recipe were dropped: s_churn",
    )


def test_the_same_type_keeps_the_keys_and_says_nothing(full: Path) -> None:
    loaded = open_recipe(full, ["solver=heun"])
    assert loaded.recipe.solver == Heun(s_churn=10.0)
    assert loaded.notices == ()


def test_a_type_is_set_before_the_fields_that_belong_to_it(full: Path) -> None:
    loaded = open_recipe(full, ["solver.order=2", "solver=exponential_integrator"])
    assert loaded.recipe.solver == ExponentialIntegrator(order=2)


def test_a_whole_block_replaces_the_old_one(full: Path) -> None:
    loaded = open_recipe(full, ["solver={type: euler}", "guidance={type: cfg, scale: 5}"])
    assert loaded.recipe.solver == Euler()
    assert loaded.notices == ("solver: heun → euler, so these keys of the recipe were dropped: s_churn",)


def test_a_field_of_a_default_block_can_be_set() -> None:
    recipe = recipe_from_mapping(SMALLEST, ["solver.sigma_data=0.25"])
    assert recipe.solver == Auto(sigma_data=0.25)


def test_load_recipe_logs_what_was_dropped(full: Path, caplog: pytest.LogCaptureFixture) -> None:
    load_recipe(full, ["solver=euler"])
    assert "dropped: s_churn" in caplog.text


# -- provenance --------------------------------------------------------------------------------------------------------


def origin(loaded: LoadedRecipe, path: str) -> str:
    source, position = loaded.origin([int(key) if key.isdigit() else key for key in path.split(".")])
    return f"{source} {position or ''}".strip()


def test_each_value_knows_where_it_came_from(full: Path) -> None:
    loaded = open_recipe(full, ["training.steps=5", "schedule=karras", "noise.std=2.0", "report={max_classes: 3}"])
    assert origin(loaded, "seed") == f"recipe {full}:4:7"
    assert origin(loaded, "representation.type") == f"recipe {full}:7:17"
    assert origin(loaded, "network.first_kernels") == f"recipe {full}:11:18"
    assert origin(loaded, "network.channels") == "default"
    assert origin(loaded, "training.steps") == "override --set training.steps=5"
    assert origin(loaded, "training.batch_size") == "default"
    assert origin(loaded, "noise.std") == "override --set noise.std=2.0"
    assert origin(loaded, "noise.mean") == f"recipe {full}:14:36"
    assert origin(loaded, "report.max_classes") == "override --set report={max_classes: 3}"


def test_the_fields_of_an_overridden_type_are_defaults(full: Path) -> None:
    loaded = open_recipe(full, ["solver=exponential_integrator"])
    assert origin(loaded, "solver.type") == "override --set solver=exponential_integrator"
    assert origin(loaded, "solver.order") == "default"


def test_the_type_of_a_default_block_stays_a_default_when_a_field_is_set(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("name: test\ndataset: procedural\n")
    loaded = open_recipe(path, ["solver.sigma_data=0.25"])
    assert origin(loaded, "solver.type") == "default"
    assert origin(loaded, "solver.sigma_data") == "override --set solver.sigma_data=0.25"


def test_type_name_of_an_unregistered_component_is_an_error() -> None:
    class Mine(Euler):
        """A solver that no plugin registered."""

    recipe = recipe_from_mapping(SMALLEST).model_copy(update={"solver": Mine()})
    with pytest.raises(GenaudioError, match="is not registered as a solver"):
        recipe.type_name("solver")


def test_problems_of_values_get_their_places_and_others_stay(full: Path) -> None:
    loaded = open_recipe(full, ["seed=3"])
    problems = [Problem("given", path=path) for path in ("solver.s_churn", "seed", "noise.wav", "fad", "")]
    placed = loaded.placed(problems)
    assert str(placed[0].position) == f"{full}:16:31"
    assert str(placed[1].position) == "--set seed=3"
    assert placed[2:] == problems[2:]
    with pytest.raises(RecipeError, match=r"full\.yaml:16:31  solver\.s_churn"), loaded.placing():
        raise RecipeError.of(problems)
    other = GenaudioError("elsewhere")
    with pytest.raises(GenaudioError) as raised, loaded.placing():
        raise other
    assert raised.value is other

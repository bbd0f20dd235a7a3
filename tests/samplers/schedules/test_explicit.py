from __future__ import annotations

from typing import Any

import pytest
import torch

from genaudio import create
from genaudio.core.errors import GenaudioError, RecipeError
from genaudio.core.recipe import recipe_from_mapping
from genaudio.runs.sampling import SamplingPlan
from genaudio.samplers.heun import Heun
from genaudio.samplers.schedules.explicit import Explicit


def test_the_levels_are_those_given_and_the_zero_may_be_left_out() -> None:
    given = Explicit(levels=(80.0, 3.0, 0.1))
    assert given == Explicit(levels=(80.0, 3.0, 0.1, 0.0))
    assert given.steps == 3
    sigmas = given.sigmas(3, 0.002, 80.0)
    assert sigmas.dtype == torch.float64
    assert sigmas.tolist() == [80.0, 3.0, 0.1, 0.0]
    assert Explicit(levels=(5.0,)).sigmas(1, 0.002, 80.0).tolist() == [5.0, 0.0]


def test_without_a_budget_a_plan_takes_its_steps() -> None:
    assert SamplingPlan.of(Heun(), Explicit(levels=(5.0, 1.0)), None).num_steps == 2


def test_another_number_of_steps_is_refused() -> None:
    with pytest.raises(GenaudioError, match=r"(?s)4 steps for an explicit schedule of 3 levels.*3 steps.*leave nfe"):
        Explicit(levels=(80.0, 3.0, 0.1)).sigmas(4, 0.002, 80.0)


@pytest.mark.parametrize("levels", [(), (0.0,), (1.0, 2.0), (1.0, 1.0), (1.0, 0.0, 0.0), (1.0, -1.0), (2.0, 0.0, 1.0)])
def test_levels_that_do_not_fall_are_refused(levels: tuple[float, ...]) -> None:
    with pytest.raises(GenaudioError, match=r"schedule explicit: levels\n"):
        create("schedule", "explicit", levels=levels)


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ("explicit", ["schedule.levels", "nothing", "add the key 'levels'"]),
        ({"type": "explicit", "levels": [1, 2]}, ["[1, 2]", "each lower than the one before"]),
        ({"type": "explicit", "levels": [2, "1"]}, ["the item '1'", "list of numbers"]),
    ],
)
def test_mistakes_in_a_recipe(block: Any, words: list[str]) -> None:
    with pytest.raises(RecipeError) as caught:
        recipe_from_mapping({"name": "a", "dataset": "procedural", "schedule": block})
    assert all(word in str(caught.value) for word in words)


def test_a_resolved_recipe_gives_it_back() -> None:
    block = {"type": "explicit", "levels": [2, 1, 0]}
    recipe = recipe_from_mapping({"name": "a", "dataset": "procedural", "schedule": block})
    assert recipe.to_mapping()["schedule"] == {"type": "explicit", "levels": [2.0, 1.0]}
    assert recipe_from_mapping(recipe.to_mapping()) == recipe

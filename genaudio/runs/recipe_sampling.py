"""How a recipe samples: its guidance, its plan, the labels it asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genaudio.core.errors import RunError, problems_at
from genaudio.core.registry import suggestion
from genaudio.runs.guidance import GuidanceBlock, without_condition
from genaudio.runs.sampling import SamplingPlan
from genaudio.runs.tuned import is_open

if TYPE_CHECKING:
    from genaudio.core.recipe import Recipe
    from genaudio.samplers.schedules.base import Schedule


def guidance_of(recipe: Recipe, *, conditional: bool) -> GuidanceBlock:
    """The recipe's guidance, as far as a model with or without a condition can have it."""
    return recipe.guidance if conditional else without_condition(recipe.guidance)


def sampling_plan(
    recipe: Recipe,
    schedule: Schedule,
    *,
    conditional: bool,
    dimensions: int | None = None,
    sigma_data: float = 0.5,
) -> SamplingPlan:
    """How the recipe samples; before training, when `sigma_data` is not known, only good for checking the budget."""
    budget = recipe.sampling
    return SamplingPlan.of(
        recipe.solver,
        schedule,
        guidance_of(recipe, conditional=conditional),
        sigma_data=sigma_data,
        dimensions=dimensions,
        nfe=budget.nfe,
        num_steps=budget.num_steps,
    )


def check_sampler(recipe: Recipe) -> None:
    """Raise what is wrong between solver, schedule and budget, with paths of the recipe's values.

    A `tuned` schedule whose grids are the model's to give is passed over.
    """
    schedule, preconditioner = recipe.schedule, recipe.preconditioner
    with problems_at("schedule"):
        _ = schedule.steps  # reads a tuned one's file
    with problems_at("sampling.nfe"):
        plan = sampling_plan(recipe, schedule, conditional=True)
    if not is_open(schedule):
        with problems_at("schedule"):
            plan.schedule.sigmas(plan.num_steps, preconditioner.sigma_min, preconditioner.sigma_max)


def sampling_labels(recipe: Recipe, classes: tuple[str, ...]) -> tuple[str | None, ...]:
    """The labels to sample; asked for before training too, since hours of it should not end in a misspelt label."""
    wanted = recipe.sampling.labels
    if not classes:
        if wanted:
            raise RunError(
                f"sampling.labels is {', '.join(wanted)}",
                expected="no labels, as the model is trained without classes",
                mend="remove sampling.labels, or give the recipe a conditioner and a dataset with classes",
            )
        return (None,)
    for label in wanted or ():
        if label not in classes:
            raise RunError(
                f"sampling.labels has {label!r}",
                expected=f"some of {', '.join(classes)}",
                mend=suggestion(label, classes),
            )
    return wanted or classes

"""Ends of chosen starts are those of the clips that the model generates, bit for bit."""

from __future__ import annotations

import pytest
import torch

import genaudio
from genaudio.core.errors import RunError
from genaudio.core.seeds import derive_seed
from genaudio.runs.model import Model
from genaudio.runs.starts import Starts, labels_of, reference_plan
from genaudio.samplers.tuning import relative_error


@pytest.fixture(scope="module")
def model(tiny_run) -> Model:
    return genaudio.load(tiny_run, device="cpu")


def starts(model: Model, count: int = 3) -> Starts:
    return Starts.of(model, [derive_seed(4, "item", index) for index in range(count)], model.classes)


@pytest.mark.parametrize("tile", [1, 2])
@pytest.mark.parametrize("solver", ["exponential_integrator", {"type": "heun", "s_churn": 10.0}])
def test_a_decoded_end_is_the_clip_of_the_same_seed_and_label(model, solver, tile, monkeypatch):
    monkeypatch.setitem(genaudio.runs.sampling.TILE, "cpu", tile)
    made = starts(model)
    assert made.labels == ("metal", "rain", "metal")
    plan = model.plan(solver=solver, num_steps=3)
    clips = torch.cat(list(model.stream(plan, range(3), made.labels, seed=4)))
    assert torch.equal(made.decode(made.solve(plan)), clips)


def test_the_common_denoiser_gives_the_same_ends_solve_after_solve(model, monkeypatch):
    monkeypatch.setitem(genaudio.runs.sampling.TILE, "cpu", 2)
    made, plan = starts(model), model.plan(num_steps=3)
    denoiser = made.denoiser(plan)
    sigmas = plan.schedule.sigmas(3, *made.range)
    x = made.noise() * float(sigmas[0])
    for _ in range(2):
        assert torch.equal(plan.solver.solve(denoiser, x, sigmas), made.solve(plan))


def test_guidance_begins_anew_with_every_trajectory(model, monkeypatch):
    """A denoiser may remember earlier steps of its trajectory, as guidance with momentum does."""
    made, plan = starts(model, 2), model.plan(num_steps=3)
    begun = []

    def guided(generator, plan, labels):
        begun.append(labels)
        return lambda x, sigma: x / (1 + sigma)

    monkeypatch.setattr(genaudio.runs.sampling.Generator, "guided", guided)
    denoiser, highest = made.denoiser(plan), made.range[1]
    for sigma in (highest, 1.0, 0.1, highest, 1.0):
        denoiser(made.noise(), sigma)
    assert begun == [[0], [1]] * 2


def test_the_reference_is_what_finer_solutions_converge_to(model):
    made, plan = starts(model, 2), model.plan(num_steps=3)
    fine, finer = (made.solve(reference_plan(plan, steps)) for steps in (60, 120))
    coarse = made.solve(plan)
    assert reference_plan(plan, 60).guidance == plan.guidance
    assert relative_error(fine, finer) < 0.05 * relative_error(coarse, finer)


def test_progress_is_told_in_items(model):
    heard: list[float] = []
    starts(model).solve(model.plan(num_steps=2), heard.append)
    assert heard == [0.5, 1, 1.5, 2, 2.5, 3]


def test_labels(model):
    assert labels_of(model, None) == ("metal", "rain")
    assert labels_of(model, ["rain", "rain"]) == ("rain",)
    with pytest.raises(RunError, match="did you mean 'rain'"):
        labels_of(model, ["rian"])

"""Strength: its limits, that it is the distance, and what it costs."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch

import genaudio
from genaudio.core.errors import RunError
from genaudio.runs.editing.variation import HALFWAY, Variation, levels_from, noise_level

SHAPE = (1, 8, 8)


def test_strength_0_is_the_clip_and_costs_nothing(model, clip):
    varied, rate = model.vary(clip, 8000, 0.0, 2, "metal")
    assert (varied.shape, rate) == ((2, 1, 1000), 8000)
    assert float((varied - clip).abs().max()) < 1e-5
    budget = model.generator().budget(model.plan(), Variation(torch.zeros(model.representation.shape(1000)), 0.0))
    assert (budget.num_steps, budget.evaluations) == (0, 0)


def test_strength_1_is_a_generation(model, clip):
    varied, _ = model.vary(clip, 8000, 1.0, 2, "metal", seed=3, num_steps=3)
    assert torch.equal(varied, model.generate(2, "metal", seed=3, num_steps=3)[0])


@pytest.mark.parametrize("solver", ["heun", "exponential_integrator"])
def test_the_distance_to_the_clip_grows_with_the_strength(solver, mixture, tile):
    # Every element of the clip is in one of two modes; a variation keeps it there or not.
    generator = torch.Generator().manual_seed(1)
    modes = 2.0 * torch.randint(0, 2, SHAPE, generator=generator).double() - 1
    encoded = modes + 0.3 * torch.randn(SHAPE, generator=generator, dtype=torch.float64)
    made = genaudio.create("solver", solver)
    distances = []
    for strength in (0.0, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 1.0):
        sigma = noise_level(strength, 1.04, 0.002, 80.0)
        end = Variation(encoded, sigma).solve(made, tile(mixture, 16, SHAPE))
        distances.append(float((end - encoded).square().mean().sqrt()))
    assert distances[0] == 0
    assert all(nearer < farther for nearer, farther in pairwise(distances))
    assert distances[-1] == pytest.approx(math.sqrt(2) * 1.044, rel=0.05)  # two independent draws of the data


def test_the_level_of_a_strength():
    assert noise_level(0.0, 0.5, 0.002, 80.0) == 0
    assert noise_level(1.0, 0.5, 0.002, 80.0) is None
    assert noise_level(0.5, 0.5, 0.002, 80.0) == pytest.approx(HALFWAY * 0.5)
    assert noise_level(0.25, 0.5, 0.002, 80.0) == pytest.approx(HALFWAY * 0.5 * (math.sqrt(2) - 1))
    assert noise_level(1e-6, 0.5, 0.002, 80.0) == 0.002
    assert noise_level(1 - 1e-9, 0.5, 0.002, 80.0) == 80.0


def test_the_levels_are_those_of_a_generation_below_the_first():
    sigmas = torch.tensor([16.0, 8.0, 4.0, 2.0, 1.0, 0.0], dtype=torch.float64)
    assert levels_from(8.0, sigmas).tolist() == [8, 4, 2, 1, 0]
    assert levels_from(7.0, sigmas).tolist() == [7, 4, 2, 1, 0]
    assert levels_from(4.5, sigmas).tolist() == [4.5, 2, 1, 0]  # a step from 4.5 to 4 is no step
    assert levels_from(0.5, sigmas).tolist() == [0.5, 0]
    assert levels_from(16.0, sigmas).tolist() == sigmas.tolist()


def test_a_variation_costs_the_steps_below_its_level(model):
    encoded = torch.zeros(model.representation.shape(1000))
    plan = model.plan(solver="heun", num_steps=12)
    sigmas = model.generator().sigmas(plan)
    for sigma in (0.05, 1.0, 20.0):
        budget = model.generator().budget(plan, Variation(encoded, sigma))
        assert budget.num_steps == len(levels_from(sigma, sigmas)) - 1
        assert budget.evaluations == 2 * budget.num_steps - 1
        assert budget.num_steps <= 12


@pytest.mark.parametrize("solver", ["exponential_integrator", {"type": "heun", "s_churn": 10.0}])
def test_batch_size_and_count_never_change_a_variation(model, clip, solver):
    options = {"label": "metal", "seed": 3, "solver": solver, "num_steps": 4}
    whole, _ = model.vary(clip, 8000, 0.5, 4, **options)
    assert torch.equal(whole, model.vary(clip, 8000, 0.5, 4, batch_size=3, **options)[0])
    assert torch.equal(whole[2:], model.vary(clip, 8000, 0.5, 2, first_index=2, **options)[0])
    assert not torch.equal(whole[0], whole[1])


def test_guidance_and_label_matter_as_in_a_generation(model, clip):
    plain, _ = model.vary(clip, 8000, 0.7, 1, "metal", num_steps=3)
    assert not torch.equal(plain, model.vary(clip, 8000, 0.7, 1, "rain", num_steps=3)[0])
    strong = {"type": "cfg", "scale": 4.0}
    assert not torch.equal(plain, model.vary(clip, 8000, 0.7, 1, "metal", num_steps=3, guidance=strong)[0])


@pytest.mark.parametrize("strength", [-0.1, 1.5, math.nan, "0.5", True])
def test_what_is_no_strength(model, clip, strength):
    with pytest.raises(RunError, match="a number from 0"):
        model.vary(clip, 8000, strength, 1, "metal")

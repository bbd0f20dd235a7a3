"""A clip becomes its noise and its noise the clip."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

import genaudio
from genaudio.core.errors import GenaudioError, RunError
from genaudio.runs.course import GENERATION, Tile
from genaudio.runs.editing.inversion import FromNoise, Inversion, interpolate

SHAPE = (1, 2, 4)


def there_and_back(way: Tile, encoded: torch.Tensor, solver: str) -> float:
    made = genaudio.create("solver", solver)
    noise = Inversion(encoded).solve(made, way)
    back = FromNoise(noise).solve(made, way)
    return float((back - encoded).square().mean().sqrt())


@pytest.mark.parametrize("solver", ["euler", "heun", "dpm", "exponential_integrator"])
def test_the_round_trip_comes_nearer_with_the_steps(solver, mixture, tile):
    encoded = torch.tensor([-1.3, -1.0, -0.6, 0.4, 0.7, 0.9, 1.0, 1.4], dtype=torch.float64).view(SHAPE)
    few, many = (there_and_back(tile(mixture, 1, SHAPE, steps), encoded, solver) for steps in (16, 256))
    assert many < few / 4
    assert many < (0.1 if solver == "euler" else 0.01)


def test_the_noise_of_gaussian_data_is_the_closed_form(gaussian, tile):
    # The trajectory is x(sigma) = x(0) sqrt((d^2 + sigma^2) / d^2).
    d = 0.5
    way = tile(gaussian(d**2 * torch.eye(8, dtype=torch.float64)), 1, SHAPE, 128)
    encoded = torch.linspace(-1, 1, 8, dtype=torch.float64).view(SHAPE)
    noise = Inversion(encoded).solve(genaudio.create("solver", "heun"), way)
    lowest, highest = 0.002, 80.0
    exact = encoded * math.sqrt((d**2 + highest**2) / (d**2 + lowest**2)) / highest
    torch.testing.assert_close(noise[0], exact, rtol=1e-3, atol=0)


def test_a_models_round_trip(model, clip):
    noise = model.invert(clip, 8000, "metal", num_steps=64)
    assert noise.shape == model.representation.shape(1000)
    back, rate = model.decode_noise(noise, "metal", num_steps=64)
    assert rate == 8000
    error = float((back[0] - clip).square().sum() / clip.square().sum())
    assert error < 1e-2
    other, _ = model.decode_noise(noise, "rain", num_steps=64)
    assert not torch.equal(other, back)


def test_given_noise_that_generation_draws_makes_what_generation_makes(model):
    drawn = []

    class Spy(type(GENERATION)):
        def solve(self, solver, way: Tile):
            drawn.append(way.noise)
            return super().solve(solver, way)

    generated, _ = model.generate(3, "rain", seed=2, course=Spy(), num_steps=3)
    for batch_size in (1, 2, 3):
        again, _ = model.decode_noise(torch.cat(drawn), "rain", batch_size=batch_size, num_steps=3)
        assert torch.equal(again, generated)
    one, _ = model.decode_noise(drawn[1], "rain", first_index=7, num_steps=3)
    assert torch.equal(one[0], generated[1])


def test_an_inversion_costs_one_step_less_than_a_generation(model, clip):
    plan = model.plan(solver="heun", num_steps=5)
    budget = model.generator().budget(plan, Inversion(torch.zeros(model.representation.shape(1000))))
    assert (budget.num_steps, budget.evaluations) == (4, 8)
    generation = model.generator().budget(plan, GENERATION)
    assert (generation.num_steps, generation.evaluations) == (5, plan.evaluations)


def test_from_a_schedule_that_stops_high_it_begins_at_the_models_lowest_level(gaussian, tile):
    d = 0.5
    way = replace(
        tile(gaussian(d**2 * torch.eye(8, dtype=torch.float64)), 1, SHAPE),
        sigmas=genaudio.create("schedule", "karras").sigmas(40, 0.4, 80.0),
    )
    encoded = torch.linspace(-1, 1, 8, dtype=torch.float64).view(SHAPE)
    solver = genaudio.create("solver", "heun")
    exact = encoded * math.sqrt((d**2 + 80.0**2) / (d**2 + 0.002**2)) / 80.0
    torch.testing.assert_close(Inversion(encoded, 0.002).solve(solver, way)[0], exact, rtol=0.1, atol=0)
    assert float((Inversion(encoded).solve(solver, way)[0] / exact).max()) < 0.8
    assert torch.equal(Inversion(encoded, 0.4).solve(solver, way), Inversion(encoded).solve(solver, way))


def test_interpolation_keeps_the_length_and_goes_round_the_circle():
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(2, 30, 40, generator=generator, dtype=torch.float64) for _ in range(2))
    b *= a.norm() / b.norm()
    torch.testing.assert_close(interpolate(a, b, 0.0), a)
    torch.testing.assert_close(interpolate(a, b, 1.0), b)
    middle = interpolate(a, b, 0.5)
    assert float(middle.norm()) == pytest.approx(float(a.norm()), rel=1e-12)
    torch.testing.assert_close(middle, interpolate(b, a, 0.5))
    torch.testing.assert_close(interpolate(a, middle, 0.5), interpolate(a, b, 0.25))
    torch.testing.assert_close(interpolate(a, a, 0.3), a)


@pytest.mark.parametrize(
    ("noise", "message"),
    [
        (torch.zeros(2, 3), r"shape \(2, 3\)"),
        (torch.zeros(1, 2, 3, 4), r"expected  a tensor \(count, 2, 32, "),
        ([1.0], "that is a list"),
        (torch.full((2, 32, 64), math.nan), "not finite"),
    ],
)
def test_noise_of_another_model_is_refused(model, noise, message):
    if isinstance(noise, torch.Tensor) and noise.isnan().any():
        noise = torch.full(model.representation.shape(1000), math.nan)
    with pytest.raises(RunError, match=message):
        model.decode_noise(noise, "rain")


def test_what_cannot_run_backwards_is_refused(model, clip):
    with pytest.raises(RunError, match="a stochastic solver, which cannot run backwards"):
        model.invert(clip, 8000, "metal", solver={"type": "heun", "s_churn": 10.0})
    with pytest.raises(RunError, match="at least 2 steps"):
        model.invert(clip, 8000, "metal", num_steps=1)
    with pytest.raises(GenaudioError, match="two of one shape"):
        interpolate(torch.zeros(3), torch.zeros(4), 0.5)

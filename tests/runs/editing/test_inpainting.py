"""What is kept is kept, and what is made anew fits it as far as the denoiser knows."""

from __future__ import annotations

import math

import pytest
import torch

import genaudio
from genaudio.core.errors import GenaudioError, RunError
from genaudio.runs.editing.inpainting import FADE, Inpainting, Paste, inpainting


def nothing_to_paste(length: int) -> Paste:
    return Paste(torch.ones(length), None)


@pytest.mark.parametrize(
    "solver", [{"type": "euler"}, {"type": "heun", "s_churn": 9.0}, {"type": "dpm"}, {"type": "exponential_integrator"}]
)
@pytest.mark.parametrize("resample", [1, 3])
def test_any_solver_keeps_what_is_known(solver, resample, gaussian, tile):
    encoded = torch.randn(1, 4, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    region = torch.zeros(1, 4, 6, dtype=torch.float64)
    region[..., 2:5] = 1
    course = Inpainting(encoded[0], encoded, region, nothing_to_paste(6), resample)
    end = course.solve(genaudio.create("solver", **solver), tile(gaussian(torch.eye(24).double()), 3, (1, 4, 6)))
    assert float((end - encoded)[..., [0, 1, 5]].abs().max()) < 1e-12
    assert float((end - encoded)[..., 2:5].abs().min()) > 1e-6


def test_with_resampling_the_new_part_has_the_conditional_mean_and_variance(gaussian, tile):
    """An autoregressive Gaussian of 16 elements, 5 to 10 of them unknown: the conditional law is known."""
    place = torch.arange(16)
    covariance = 0.25 * 0.9 ** (place[:, None] - place).abs().double()
    truth = torch.linalg.cholesky(covariance) @ torch.randn(
        16, generator=torch.Generator().manual_seed(5), dtype=torch.float64
    )
    unknown = (place >= 5) & (place < 11)
    gain = covariance[unknown][:, ~unknown] @ torch.linalg.inv(covariance[~unknown][:, ~unknown])
    mean = gain @ truth[~unknown]
    variance = (covariance[unknown][:, unknown] - gain @ covariance[~unknown][:, unknown]).diag()

    def errors(resample: int) -> tuple[float, float]:
        encoded = truth.view(1, 1, 16)
        course = Inpainting(encoded[0], encoded, unknown.double().view(1, 1, 16), nothing_to_paste(16), resample)
        way = tile(gaussian(covariance), 600, (1, 1, 16), 16)
        made = course.solve(genaudio.create("solver", "exponential_integrator"), way).view(600, 16)[:, unknown]
        off = ((made.mean(0) - mean) / variance.sqrt()).square().mean().sqrt()
        return float(off), float((made.var(0) / variance).log().mean().exp())

    once, often = errors(1), errors(10)
    assert once[1] > 1.8  # without resampling the new part hardly heeds the known one
    assert often[0] < 0.15  # standard deviations
    assert 0.85 < often[1] < 1.2


def test_outside_a_span_the_samples_are_the_clips_own(model, clip):
    made, rate = model.inpaint(clip, 8000, [(0.04, 0.07)], count=3, label="metal", num_steps=3)
    assert (made.shape, rate) == ((3, 1, 1000), 8000)
    first, last = round(0.04 * 8000), round(0.07 * 8000)
    assert torch.equal(made[..., : first + 1], clip[:, : first + 1].expand(3, 1, -1))
    assert torch.equal(made[..., last:], clip[:, last:].expand(3, 1, -1))
    assert not torch.equal(made[0], made[1])
    # The ends of the span are faded into: no sample there moves further than the fade lets it.
    fade = torch.sin(torch.arange(round(FADE * 8000)) / (FADE * 8000) * math.pi / 2).square()
    moved = (made - clip)[..., first : first + len(fade)].abs()
    assert bool((moved <= fade * 2 + 1e-6).all())


def test_a_span_at_the_end_of_the_clip_has_no_fade_there():
    paste = Paste(torch.tensor([0.0, 0.5, 1.0]), None)
    assert paste.into(torch.zeros(1, 3), torch.ones(2, 1, 3)).tolist() == [[[0.0, 0.5, 1.0]]] * 2


def test_the_end_of_a_clip_can_be_made_anew_up_to_its_last_sample(model, clip):
    course = inpainting(model, clip, spans=[(0.1, 0.125)])
    assert float(course.paste.over_time[-1]) == 1
    assert bool((course.region[..., -1] == 1).all())


def test_outside_a_band_the_spectrum_is_the_clips_own(model, clip):
    made, _ = model.inpaint(clip, 8000, bands=[(1000, 2500)], count=2, label="metal", num_steps=3)
    change = torch.fft.rfft((made - clip).double()).abs().square()
    hertz = torch.fft.rfftfreq(1000, 1 / 8000)
    inside = (hertz > 1000) & (hertz < 2500)
    assert float(change[..., ~inside].sum() / change[..., inside].sum()) < 1e-9
    assert float(change[..., inside].sum()) > 0


def test_a_span_and_a_band_make_only_what_lies_in_both(model, clip):
    made, _ = model.inpaint(clip, 8000, [(0.04, 0.09)], [(0, 1000)], label="rain", num_steps=3)
    assert torch.equal(made[0, :, :320], clip[:, :320])
    assert torch.equal(made[0, :, 720:], clip[:, 720:])
    change = torch.fft.rfft((made - clip).double()).abs().square()[0, 0]
    assert float(change[260:].sum() / change.sum()) < 1e-2  # above 2080 Hz: what the fades spread


def test_every_channel_keeps_its_own_part(stereo_model, clip):
    both = torch.cat([clip, 0.3 * clip.flip(-1)])
    made, _ = stereo_model.inpaint(both, 8000, [(0.04, 0.07)], count=2, label="rain", num_steps=3)
    assert made.shape == (2, 2, 1000)
    assert torch.equal(made[..., :321], both[:, :321].expand(2, 2, -1))
    assert torch.equal(made[..., 560:], both[:, 560:].expand(2, 2, -1))
    assert not torch.equal(made[:, 0, 330:550], made[:, 1, 330:550])
    varied, _ = stereo_model.vary(both, 8000, 0.0, 1, "rain")
    torch.testing.assert_close(varied[0], both, rtol=0, atol=1e-5)
    noise = stereo_model.invert(both, 8000, "rain", num_steps=32)
    back, _ = stereo_model.decode_noise(noise, "rain", num_steps=32)
    assert float((back[0] - both).square().sum() / both.square().sum()) < 1e-2


def test_the_number_of_ways_is_the_cost(model, clip):
    plan = model.plan(solver="heun", num_steps=16)
    once, often = (
        model.generator().budget(plan, inpainting(model, clip, [(0.02, 0.1)], resample=times)) for times in (1, 5)
    )
    assert (once.num_steps, once.evaluations) == (16, 31)
    # Heun's takes one evaluation less where a stretch ends at 0.
    assert (often.num_steps, often.evaluations) == (5 * 16, 5 * 31)


@pytest.mark.parametrize("resample", [1, 2])
def test_batch_size_and_count_never_change_what_is_made(model, clip, resample):
    options = {"label": "metal", "seed": 3, "num_steps": 3, "resample": resample}
    whole, _ = model.inpaint(clip, 8000, [(0.02, 0.1)], count=4, **options)
    assert torch.equal(whole, model.inpaint(clip, 8000, [(0.02, 0.1)], count=4, batch_size=3, **options)[0])
    assert torch.equal(whole[2:], model.inpaint(clip, 8000, [(0.02, 0.1)], count=2, first_index=2, **options)[0])


@pytest.mark.parametrize(
    ("spans", "bands", "options", "message"),
    [
        ((), (), {}, "neither spans nor bands"),
        (
            [(0.1, 0.05)],
            (),
            {},
            r"span 0.1 to 0.05 s\n\s+expected  a start from 0 to below 0.125 s, and an end above it",
        ),
        ([(0.2, 0.3)], (), {}, "span 0.2 to 0.3 s"),
        ([(0.1,)], (), {}, "two numbers, in s"),
        ((), [(-5, 100)], {}, "band -5 to 100 Hz"),
        ((), [(5000, 6000)], {}, "a start from 0 to below 4000 Hz"),
        ([(0.0501, 0.0502)], (), {}, "narrower than the representation resolves"),
        ([(0.02, 0.1)], (), {"resample": 0}, "resample is 0"),
    ],
)
def test_wrong_regions_are_refused(model, clip, spans, bands, options, message):
    with pytest.raises(RunError, match=message):
        model.inpaint(clip, 8000, spans, bands, label="metal", **options)


def test_a_representation_that_does_not_say_where_is_refused_by_name(model, clip):
    class Silent(type(model.representation)):
        def mask(self, *args, **options):
            return super(type(model.representation), self).mask(*args, **options)

    components = {**model.components, "representation": Silent(**model.representation.model_dump())}
    other = type(model)(**{**vars(model), "components": components})
    with pytest.raises(GenaudioError, match="Silent does not say where a time or a frequency lies"):
        other.inpaint(clip, 8000, [(0.02, 0.1)], label="metal")

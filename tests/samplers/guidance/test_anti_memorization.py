"""Anti-memorization guidance: its geometry, what it leaves alone, and where it takes samples of an exact denoiser."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from genaudio.core.errors import GenaudioError
from genaudio.plugins.testing import check_guidance
from genaudio.samplers.base import Denoiser
from genaudio.samplers.dpm import DPM
from genaudio.samplers.euler import Euler
from genaudio.samplers.guidance.anti_memorization import AntiMemorization
from genaudio.samplers.guidance.compose import compose
from genaudio.samplers.guidance.memory_file import read_facts, read_items, write_items
from genaudio.samplers.heun import Heun

SHAPE = (2, 4, 4)


def normalised(items: Tensor) -> Tensor:
    centred = items - items.flatten(1).mean(1).view(-1, *[1] * (items.ndim - 1))
    return centred / centred.flatten(1).square().mean(1).sqrt().view(-1, *[1] * (items.ndim - 1))


def correlations(x: Tensor, items: Tensor) -> Tensor:
    """`(batch, items)`."""
    both = torch.cat([x, items]).flatten(1)
    return torch.corrcoef(both)[: len(x), len(x) :]


def drawn(count: int, seed: int, shape: tuple[int, ...] = SHAPE) -> Tensor:
    return torch.randn((count, *shape), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


Written = Callable[..., str]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    def write(items: Tensor, dtype: torch.dtype = torch.float64) -> str:
        path = tmp_path / "memory.safetensors"
        write_items(path, normalised(items).to(dtype), {"of": "tests"})
        return str(path)

    return write


def guided_by(guidance: AntiMemorization, x: Tensor) -> Tensor:
    return guidance.guide(x, {}, 1.0, guidance.init())[0]


def test_it_conforms(written: Written) -> None:
    estimates = drawn(3, 0)  # 3 of those that the kit draws are near to none of these: a low threshold, many items
    path = written(torch.cat([estimates, drawn(50, 1)]), torch.float16)
    check_guidance(AntiMemorization(memory=path, threshold=0.1, rounds=3), SHAPE)
    check_guidance(AntiMemorization(memory=path, threshold=0.9), SHAPE)


def test_an_estimate_is_turned_to_the_threshold_within_the_plane_of_both(written: Written) -> None:
    items = drawn(5, 2)
    x = 3.0 + 0.4 * items[1:3] + 0.1 * drawn(2, 3)
    result = guided_by(AntiMemorization(memory=written(items), threshold=0.6, rounds=1), x)
    found = correlations(result, items)
    torch.testing.assert_close(found[0, 1], torch.tensor(0.6).double())
    torch.testing.assert_close(found[1, 2], torch.tensor(0.6).double())
    for measure in (lambda y: y.flatten(1).mean(1), lambda y: y.flatten(1).std(1)):
        torch.testing.assert_close(measure(result), measure(x))
    for before, after, item in zip(x, result, items[1:3], strict=True):
        plane = torch.stack([torch.ones(32).double(), before.flatten(), item.flatten()], 1)
        residual = torch.linalg.lstsq(plane, after.flatten()[:, None]).solution
        torch.testing.assert_close(plane @ residual, after.flatten()[:, None])


def test_it_goes_down_the_gradient_of_the_correlation(written: Written) -> None:
    """A turn that is small has the direction of the gradient that autograd finds, with a minus."""
    items = drawn(1, 4)
    x = (items + 0.8 * drawn(1, 5)).requires_grad_()
    likeness = correlations(x, items)[0, 0]
    (gradient,) = torch.autograd.grad(likeness, x)
    threshold = float(likeness.detach()) - 1e-6
    step = guided_by(AntiMemorization(memory=written(items), threshold=threshold), x.detach()) - x.detach()
    cosine = torch.nn.functional.cosine_similarity(step.flatten(), -gradient.flatten(), dim=0)
    assert float(cosine) > 1 - 1e-6


def test_what_resembles_nothing_stays_to_the_bit(written: Written) -> None:
    items = drawn(5, 6)
    x = torch.cat([drawn(2, 7), items[:1] + 0.01 * drawn(1, 8)])
    for dtype in (torch.float64, torch.float32, torch.float16):
        given = x.to(dtype)
        result = guided_by(AntiMemorization(memory=written(items), threshold=0.9), given)
        assert result.dtype == dtype
        assert torch.equal(result[:2], given[:2])
        assert not torch.equal(result[2], given[2])


def test_rounds_lead_away_from_takes_of_one_recording(written: Written) -> None:
    first = drawn(1, 9)
    takes = first + 0.2 * drawn(4, 10)
    x = takes.mean(0, keepdim=True)
    path = written(takes)
    once, often = (guided_by(AntiMemorization(memory=path, rounds=rounds), x) for rounds in (1, 16))
    assert float(correlations(once, takes).max()) > 0.5
    assert float(correlations(often, takes).max()) < 0.505


def test_an_estimate_that_is_an_item_keeps_the_direction_before(written: Written) -> None:
    items = drawn(3, 11)
    guidance = AntiMemorization(memory=written(items), threshold=0.5)
    near = items[:1] + 0.3 * drawn(1, 12)
    before, state = guidance.guide(near, {}, 2.0, guidance.init())
    exact = normalised(items[:1])
    after, _ = guidance.guide(exact, {}, 1.0, state)
    torch.testing.assert_close(correlations(after, items[:1]), torch.tensor([[0.5]]).double())
    assert float(correlations(before, after)) == pytest.approx(1.0)
    alone, _ = guidance.guide(exact, {}, 1.0, guidance.init())
    assert bool(alone.isfinite().all())


def empirical(points: Tensor) -> Denoiser:
    """The exact denoiser of a set of points: their mean, weighted by how likely each is to have led to x."""

    def denoise(x: Tensor, sigma: float) -> Tensor:
        distance = (x.flatten(1)[:, None] - points.flatten(1)).square().sum(2)
        return torch.einsum("bn,n...->b...", torch.softmax(-distance / (2 * sigma**2), 1), points)

    return denoise


SOLVERS = [Euler(), Heun(), DPM(order=2)]


@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
def test_samples_of_an_exact_denoiser_end_beside_the_points_instead_of_on_them(solver: Any, written: Written) -> None:
    points = drawn(12, 13)
    sigmas = torch.cat([torch.logspace(1.5, -2.5, 40, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)])
    start = sigmas[0] * drawn(20, 14)

    def sampled(denoiser: Denoiser) -> Tensor:
        return solver.solve(denoiser, start, sigmas)

    plain = correlations(sampled(empirical(points)), points)
    assert float(plain.amax(1).min()) > 0.999
    guidance = AntiMemorization(memory=written(points), threshold=0.6)
    steered = sampled(compose([guidance], lambda x, sigma, _: empirical(points)(x, sigma)))
    assert float(correlations(steered, points).amax(1).max()) < 0.61
    landed = points[plain.argmax(1)]
    assert float(correlations(steered, landed).diagonal().min()) > 0.3  # still of the kind that it would have been


def test_the_file_is_read_again_when_it_changes(written: Written) -> None:
    path = written(drawn(3, 15))
    first = read_items(path, torch.device("cpu"))
    assert read_items(path, torch.device("cpu")) is first
    written(drawn(4, 16))
    os.utime(path, ns=(1, 1))
    assert len(read_items(path, torch.device("cpu"))) == 4
    assert read_facts(path) == ((4, *SHAPE), {"of": "tests"})


def test_what_does_not_fit_is_said(written: Written, tmp_path: Path) -> None:
    with pytest.raises(GenaudioError, match=r"a memory of items \(2, 4, 4\) for x \(2, 5\)"):
        guided_by(AntiMemorization(memory=written(drawn(2, 17))), torch.zeros(1, 2, 5))
    with pytest.raises(GenaudioError, match=r"write-memory"):
        guided_by(AntiMemorization(memory=str(tmp_path / "nowhere")), torch.zeros(1, 2, 5))
    (tmp_path / "other").write_bytes(b"not a file of tensors")
    with pytest.raises(GenaudioError, match="cannot be read"):
        guided_by(AntiMemorization(memory=str(tmp_path / "other")), torch.zeros(1, 2, 5))

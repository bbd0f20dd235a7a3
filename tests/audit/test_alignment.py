"""Alignment against a plain search over every stretch."""

from __future__ import annotations

import pytest
import torch

from genaudio.audit.alignment import Alignment, neutral
from genaudio.audit.patches import LOUD, QUIET, SILENT
from genaudio.audit.sound import Sound
from genaudio.audit.spans import span
from genaudio.core.audit_settings import AuditSettings

LIKENESS = 0.4


def sound(count: int, seed: int, loudness: torch.Tensor | None = None) -> Sound:
    generator = torch.Generator().manual_seed(seed)
    patches = torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=1)
    level = loudness if loudness is not None else torch.full((count,), LOUD, dtype=torch.int8)
    levels = torch.zeros(40, count, dtype=torch.uint8)
    return Sound(patches * (level > SILENT)[:, None], level, level, levels, count * 0.0125)


def plain_search(generated: Sound, training: Sound, free: list[bool]) -> float:
    """The largest sum over any first, last and lag, by trying them all."""
    n, m = len(generated.patches), len(training.patches)
    best = 0.0
    for lag in range(1 - n, m):
        total = 0.0
        for i in range(n):
            if not 0 <= i + lag < m:
                continue
            left, right = int(generated.patch_loudness[i]), int(training.patch_loudness[i + lag])
            if not free[i]:
                total = 0.0
                continue
            if min(left, right) == SILENT:
                value = 0.0 if max(left, right) <= QUIET else -LIKENESS
            else:
                value = float(generated.patches[i] @ training.patches[i + lag]) - LIKENESS
            total = max(0.0, total + value)
            best = max(best, total)
    return best


@pytest.mark.parametrize("seed", range(6))
def test_the_best_stretch_is_that_of_a_plain_search(seed: int) -> None:
    generator = torch.Generator().manual_seed(100 + seed)
    levels = torch.randint(0, 3, (31,), generator=generator).to(torch.int8)
    generated, training = sound(17, seed, levels[:17]), sound(14, seed + 50, levels[17:])
    alignment = Alignment(generated, training, LIKENESS)
    free = torch.rand(17, generator=generator) > 0.2
    for some in (torch.ones(17, dtype=torch.bool), free):
        found = alignment.best(some)
        wanted = plain_search(generated, training, some.tolist())
        assert (found.score if found else 0.0) == pytest.approx(wanted, abs=1e-5)
        if found:
            assert bool(some[found.first : found.last + 1].all())


def test_a_copied_part_is_found_at_its_place() -> None:
    training, generated = sound(40, 1), sound(30, 2)
    generated.patches[5:20] = training.patches[17:32]
    found = Alignment(generated, training, LIKENESS).best()
    assert found is not None
    assert found.lag == 12
    assert found.first <= 5
    assert found.last >= 19
    assert found.score >= 15 * (1 - LIKENESS) - 1e-5


def test_silence_matches_nothing() -> None:
    silent = sound(10, 1, torch.full((10,), SILENT, dtype=torch.int8))
    assert Alignment(silent, silent, LIKENESS).best() is None
    assert Alignment(silent, sound(10, 2), LIKENESS).best() is None


def test_silence_beside_silence_or_quiet_is_neutral() -> None:
    levels = torch.tensor([SILENT, QUIET, LOUD])
    table = neutral(levels[:, None], levels).tolist()
    assert table == [[True, True, False], [True, False, False], [False, False, False]]


def test_a_span_goes_on_through_common_silence_and_no_further() -> None:
    """Sound in frames 10 to 19 of both, then silence in both until another sound begins in the generated clip."""
    levels = torch.full((40,), SILENT, dtype=torch.int8)
    levels[10:20] = LOUD
    later = levels.clone()
    later[30:] = LOUD
    training, generated = sound(40, 1, levels), sound(40, 2, later)
    generated.patches[10:20] = training.patches[10:20]
    stretch = Alignment(generated, training, LIKENESS).best()
    assert stretch is not None
    assert (stretch.first, stretch.last, stretch.lag) == (10, 19, 0)
    hop = AuditSettings().hop
    found = span(stretch, generated, training, AuditSettings())
    assert (found.generated_start, found.training_start) == (0.0, 0.0)
    assert found.generated_end == pytest.approx(29.5 * hop)
    assert found.training_end == pytest.approx(29.5 * hop)
    assert found.score == pytest.approx(1.0)

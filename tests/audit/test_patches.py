"""Patches, their whitening, the library's search, and the settings' errors."""

from __future__ import annotations

import pytest
import torch

from genaudio.audit.library import PatchLibrary
from genaudio.audit.patches import LOUD, SILENT, PatchReader
from genaudio.audit.sound import Sound
from genaudio.audit.whitening import Whitening
from genaudio.core.audit_settings import AuditSettings
from tests.audit.conftest import RATE, events

SETTINGS = AuditSettings()


def test_a_patch_has_norm_1_and_mean_0_and_does_not_depend_on_gain() -> None:
    waveform = torch.from_numpy(events(1))
    patches, quieter = PatchReader(SETTINGS)(waveform), PatchReader(SETTINGS)(0.1 * waveform)
    live = patches.values[patches.live]
    assert torch.allclose(live.norm(dim=1), torch.ones(len(live)), atol=1e-5)
    assert float(live.mean(1).abs().max()) < 1e-6
    loud = (patches.patch_loudness == LOUD) & (quieter.patch_loudness == LOUD)
    assert int(loud.sum()) > len(loud) // 2
    assert torch.allclose(patches.values[loud], quieter.values[loud], atol=1e-4)
    assert len(patches.values) == len(waveform) // (RATE // 80) + 1


def test_silence_has_no_live_patch_and_sound_has_some_from_half_a_patch_before_it() -> None:
    waveform = torch.zeros(RATE)
    assert not bool(PatchReader(SETTINGS)(waveform).live.any())
    waveform[8000:] = torch.from_numpy(events(2, 0.5))
    patches = PatchReader(SETTINGS)(waveform)
    first = int(patches.live.nonzero()[0])
    assert 8000 / 200 - SETTINGS.patch_frames <= first <= 8000 / 200
    assert set(patches.frame_loudness[: first - 2].tolist()) == {SILENT}
    assert not bool(patches.values[:first].any())


def test_whitened_training_patches_are_uncorrelated_and_of_equal_variance() -> None:
    reader = PatchReader(SETTINGS)
    found = [reader(torch.from_numpy(events(n))) for n in range(12)]
    live = [patches.values[patches.live] for patches in found]
    whitening, values = Whitening.fit(live, 20), torch.cat(live)
    rows = (values - whitening.mean) @ whitening.projection
    assert torch.allclose(rows.T @ rows / len(rows), torch.eye(20), atol=1e-2)
    assert whitening.components == 20


def test_few_patches_give_few_components() -> None:
    found = PatchReader(SETTINGS)(torch.from_numpy(events(1, 0.1)))
    assert Whitening.fit([found.values[found.live]], 96).components < int(found.live.sum())


@pytest.mark.parametrize("shelf_rows", [32, 64, 4096])
def test_the_search_is_exact_on_shelves_of_any_size(shelf_rows: int) -> None:
    generator = torch.Generator().manual_seed(0)
    clips = [torch.nn.functional.normalize(torch.randn(n, 8, generator=generator), dim=1) for n in (5, 33, 16, 70, 1)]
    library = PatchLibrary(8, torch.device("cpu"), shelf_rows=shelf_rows)
    for clip in clips:
        level = torch.full((len(clip),), LOUD, dtype=torch.int8)
        library.add(Sound(clip, level, level, torch.zeros(40, len(clip), dtype=torch.uint8), 1.0))
    queries = torch.nn.functional.normalize(torch.randn(9, 8, generator=generator), dim=1)
    wanted = torch.stack([(queries @ clip[::2].half().float().T).amax(1).clamp_min(0) for clip in clips], 1)
    assert torch.allclose(library.nearest(queries), wanted, atol=1e-6)
    assert torch.equal(library.sound(3).patches, clips[3].half().float())

"""Metrics order what is plainly better and worse: clean, a little noise, noise; all classes, two classes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from genaudio.datasets.base import Clips
from genaudio.evaluation.audio_clip import SoundFile
from genaudio.evaluation.classifier import Classifier
from genaudio.evaluation.embeddings.mel_statistics import MelStatistics
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.measuring import embed
from genaudio.evaluation.metrics.am_score import AMScore
from genaudio.evaluation.metrics.base import Metric
from genaudio.evaluation.metrics.coverage import Coverage
from genaudio.evaluation.metrics.density import Density
from genaudio.evaluation.metrics.fad import FAD
from genaudio.evaluation.metrics.fad_infinity import FADInfinity
from genaudio.evaluation.metrics.fid import FID
from genaudio.evaluation.metrics.inception_score import InceptionScore
from genaudio.evaluation.metrics.kad import KAD
from genaudio.evaluation.metrics.kl import KL
from genaudio.evaluation.metrics.modified_inception_score import ModifiedInceptionScore
from genaudio.evaluation.metrics.recall import Recall

DISTANCES = (FAD(draws=0), FADInfinity(draws=0), KAD(draws=0), FID(draws=0))
LISTEN = MelStatistics(rate=8000, bands=16)


def noisy(waveform: Tensor, snr: float) -> Tensor:
    """With white noise so many dB below each clip; of infinitely much noise, the noise alone."""
    noise = torch.randn(waveform.shape, generator=torch.Generator().manual_seed(5))
    power = waveform.square().mean((1, 2), keepdim=True)
    if snr == -torch.inf:
        return noise * power.sqrt()  # as loud as the clip
    return waveform + noise * (power * 10 ** (-snr / 10)).sqrt()


def heard(waveform: Tensor) -> FeatureSet:
    return embed(LISTEN, "mel_statistics", waveform, 8000)


def ordered(metric: Metric, reference: FeatureSet, *generated: FeatureSet) -> None:
    """Each is worse than the one before it."""
    values = [metric.measure(one, reference).value for one in generated]
    assert values == sorted(values, reverse=metric.better == "higher")
    assert len(set(values)) == len(values)


def stack(clips: Clips, wanted: tuple[int, ...], count: int) -> Tensor:
    found = (clips.clip(index, 0) for index in range(100_000))
    chosen = (clip.waveform for clip in found if clip.label in wanted)
    return torch.stack([waveform for waveform, _ in zip(chosen, range(count), strict=False)])


@pytest.mark.parametrize("metric", DISTANCES, ids=lambda metric: type(metric).__name__)
def test_distances_of_synthetic_clips(metric: Metric, tones: Callable[..., Clips]) -> None:
    reference = heard(stack(tones(None, seed=1), (0, 1, 2), 150))
    clean = stack(tones(None, seed=2), (0, 1, 2), 150)
    ordered(metric, reference, *(heard(noisy(clean, snr)) for snr in (torch.inf, 20, -torch.inf)))
    ordered(metric, reference, heard(clean), heard(stack(tones(None, seed=2), (0, 1), 150)))


@pytest.mark.parametrize("metric", [Recall(draws=0), Coverage(draws=0)], ids=repr)
def test_shares_of_real_clips_fall_with_a_class(metric: Metric, tones: Callable[..., Clips]) -> None:
    reference = heard(stack(tones(None, seed=1), (0, 1, 2), 150))
    clean, fewer = (stack(tones(None, seed=2), classes, 150) for classes in ((0, 1, 2), (0, 1)))
    ordered(metric, reference, heard(clean), heard(fewer))
    if isinstance(metric, Coverage):
        ordered(Density(draws=0), reference, *(heard(noisy(clean, snr)) for snr in (torch.inf, 20)))


CLASSIFIED = (
    InceptionScore(draws=0),
    ModifiedInceptionScore(draws=0),
    AMScore(draws=0),
    KL(pairing="marginal", draws=0),
)


@pytest.mark.parametrize("metric", [*CLASSIFIED, FID(draws=0)], ids=repr)
def test_what_a_classifier_hears(metric: Metric, tones: Callable[..., Clips], trained: Classifier) -> None:
    def classified(waveform: Tensor) -> FeatureSet:
        with torch.inference_mode():
            features = trained.features(waveform).double()
        return FeatureSet.of(features, log_probabilities=trained.log_probabilities(waveform), classes=trained.classes)

    reference = classified(stack(tones(None, seed=1), (0, 1, 2), 300))
    every, fewer = (classified(stack(tones(None, seed=2), classes, 300)) for classes in ((0, 1, 2), (0, 1)))
    one = classified(stack(tones(None, seed=2), (1,), 300))
    ordered(metric, reference, every, fewer, one)


@pytest.fixture(scope="module")
def digits(shared_data: Path) -> Callable[[range, str], Tensor]:
    def read(takes: range, wanted: str) -> Tensor:
        found = []
        for path in sorted((shared_data / "fsdd" / "recordings").glob("*.wav")):
            digit, _, take = path.stem.split("_")
            if digit in wanted and int(take) in takes:
                waveform = SoundFile(path, path.name, digit).read(8000)[:, :8000]
                found.append(torch.nn.functional.pad(waveform, (0, 8000 - waveform.shape[1])))
        return torch.stack(found)

    return read


@pytest.mark.slow
@pytest.mark.parametrize("metric", DISTANCES, ids=lambda metric: type(metric).__name__)
def test_distances_of_spoken_digits(metric: Metric, digits: Callable[[range, str], Tensor]) -> None:
    """240 clips each: ten digits of four takes, two digits of twenty."""
    reference = heard(digits(range(10, 20), "0123456789"))
    clean, fewer = digits(range(30, 34), "0123456789"), digits(range(24, 44), "07")
    assert len(clean) == len(fewer) == 240
    ordered(metric, reference, *(heard(noisy(clean, snr)) for snr in (torch.inf, 20, -torch.inf)))
    ordered(metric, reference, heard(clean), heard(fewer))

"""Evaluations: which embedding each metric hears with, what the results hold, what a reader is told."""

from __future__ import annotations

import json
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

import genaudio
from genaudio.core.errors import GenaudioError
from genaudio.evaluation.clip_features import clip_features
from genaudio.evaluation.clip_set import ClipSet
from genaudio.evaluation.embeddings.mel_statistics import MelStatistics
from genaudio.evaluation.metrics.fad import FAD
from genaudio.evaluation.metrics.inception_score import InceptionScore
from genaudio.evaluation.reference_statistics import load_statistics, save_statistics
from genaudio.plugins.manager import registry
from genaudio.runs.evaluation.evaluator import EvaluationRequest, Evaluator
from genaudio.runs.evaluation.notes import notes_on
from genaudio.runs.evaluation.sources import dataset_clips
from genaudio.runs.evaluation.table import text
from tests.runs.conftest import Said

RATE = 8000
MEL = MelStatistics(rate=RATE, bands=4)

PLUGIN = """
from typing import ClassVar
import torch
from genaudio.evaluation.embeddings.base import Embedding
from genaudio.evaluation.metrics.base import Measurement, Metric

class Text(Embedding):
    sample_rate: ClassVar[int] = 8000
    weights_sha256: ClassVar[None] = None
    def features(self, waveform):
        return waveform.double().square().mean((1, 2), keepdim=True) + torch.tensor([0.0, 1.0, 2.0])
    def text_features(self, texts):
        read.append(tuple(texts))
        return torch.tensor([[len(text), 0.0, 1.0] for text in texts]).double()

class Prescribed(Metric):
    @property
    def protocol_embedding(self):
        return {"type": "mel_statistics", "rate": 8000, "bands": 7}
    def measure(self, generated, reference):
        return Measurement(float(generated.features.shape[1]), (1.0, float("inf")), {"notes": ["own"]})

class Wide(Metric):
    needs_reference: ClassVar[bool] = False
    def measure(self, generated, reference):
        assert reference is None
        return Measurement(float(generated.features.shape[1]), (1.0, 2.0))

read = []
"""


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """A plugin's module with an embedding of sound and text, and two metrics; registered for one test."""
    (tmp_path / "fake_evaluation.py").write_text(textwrap.dedent(PLUGIN))
    monkeypatch.syspath_prepend(str(tmp_path))
    entries = dict(registry()._entries)
    monkeypatch.setattr(registry(), "_entries", entries)
    for kind, name, cls in (
        ("embedding", "text", "Text"),
        ("metric", "prescribed", "Prescribed"),
        ("metric", "wide", "Wide"),
    ):
        registry().add(kind, name, f"fake_evaluation:{cls}", "of a test")
    yield registry().load("embedding", "text")
    sys.modules.pop("fake_evaluation", None)


def sounds(folder: Path, classes=("dog_bark", "rain"), each: int = 6, seed: int = 0, rate: int = RATE) -> ClipSet:
    random = np.random.default_rng(seed)
    for number, label in enumerate(classes):
        (folder / label).mkdir(parents=True)
        for take in range(each):
            sound = random.uniform(-0.5, 0.5, rate // 4) * (1 + number) / 2
            soundfile.write(folder / label / f"{take}.wav", sound, rate)
    return ClipSet.of_folder(folder)


@pytest.fixture
def generated(tmp_path):
    return sounds(tmp_path / "generated")


@pytest.fixture
def real(tmp_path):
    return sounds(tmp_path / "real", ("001 - Dog bark", "002 - Rain"), seed=1)


def request(generated, reference, metrics, **options):
    return EvaluationRequest(generated, reference, metrics, options.pop("embedding", MEL), **options)


def test_results_are_those_of_the_metric_with_a_card_of_how(generated, real):
    results = Evaluator(request(generated, real, {"fad": FAD(draws=3)}), device="cpu").results()
    direct = FAD(draws=3).measure(*(clip_features(MEL, "mel_statistics", clips) for clips in (generated, real)))
    (entry,) = results["metrics"]
    assert entry["value"] == direct.value
    assert entry["interval"] == list(direct.interval)
    assert entry["metric"]["type"] == entry["name"] == "fad"
    assert entry["better"] == "lower"
    card = entry["card"]
    assert (card["embedding"], card["embedding_fields"]["bands"], card["embedding_sample_rate"]) == (
        "mel_statistics",
        4,
        RATE,
    )
    assert (card["generated"], card["reference"], card["weights_sha256"]) == (12, 12, None)
    assert card["silent_clips"] == {"generated": 0, "reference": 0}
    assert results["generated"]["sample_rates"] == {str(RATE): 12}
    assert (results["format"], results["genaudio"], results["device"]) == (1, genaudio.__version__, "cpu")
    assert json.loads(json.dumps(results, allow_nan=False)) == results


def test_classes_are_compared_whatever_their_spelling(generated, real, tmp_path):
    metric = FAD(draws=0, by_class=True)
    results = Evaluator(request(generated, real, {"fad": metric})).results()
    assert set(results["metrics"][0]["by_class"]) == {"dog_bark", "rain"}
    path = tmp_path / "real.safetensors"
    for moments_only in (False, True):
        features = Evaluator(request(generated, real, {"fad": metric})).reference_features()
        assert features.labels[0] == "001 - Dog bark"
        save_statistics(path, features, moments_only=moments_only)
        shipped = Evaluator(request(generated, load_statistics(path), {"fad": metric})).results()
        for label, one in results["metrics"][0]["by_class"].items():
            assert shipped["metrics"][0]["by_class"][label]["value"] == pytest.approx(one["value"], rel=1e-6)
        assert shipped["reference"]["clips"] == 12


def test_each_set_is_heard_once_by_each_embedding(generated, real, plugin):
    said = Said()
    metrics = {"a": FAD(draws=0), "b": FAD(draws=0, seed=1), "c": genaudio.create("metric", "prescribed")}
    Evaluator(request(generated, real, metrics), progress=said).results()
    assert len(said.lines) == len(set(said.lines)) + 2 == 4  # two embeddings of one name, two sets


def test_a_protocol_prescribes_its_embedding_unless_the_user_chose_one(generated, real, plugin):
    metrics = {"fad": FAD(draws=0), "own": genaudio.create("metric", "prescribed")}
    fad, own = Evaluator(request(generated, real, metrics)).results()["metrics"]
    assert (fad["card"]["embedding_fields"]["bands"], own["card"]["embedding_fields"]["bands"]) == (4, 7)
    assert (own["value"], own["interval"]) == (14.0, [1.0, None])
    assert own["card"]["notes"] == ["own"]
    fad, own = Evaluator(request(generated, real, metrics, embedding_chosen=True)).results()["metrics"]
    assert (own["card"]["embedding_fields"]["bands"], own["value"]) == (4, 8.0)
    assert own["card"]["notes"] == ["own", "with another embedding than its protocol's (mel_statistics)"]


def test_statistics_of_another_embedding_are_refused_by_name(generated, real):
    statistics = clip_features(MelStatistics(rate=RATE, bands=8), "mel_statistics", real)
    asked = request(generated, statistics, {"fad": FAD(draws=0)}, reference_name="real.safetensors")
    with pytest.raises(GenaudioError, match=r"real.safetensors was computed with the fields bands 8"):
        Evaluator(asked).results()


def test_text_is_made_of_each_clips_class_and_read_once(generated, plugin):
    metric = genaudio.create("metric", "clap_score", draws=0)
    asked = request(generated, None, {"clap_score": metric}, embedding=plugin())
    results = Evaluator(asked).results()
    (entry,) = results["metrics"]
    assert results["reference"] is None
    assert sys.modules["fake_evaluation"].read == [("The sound of dog bark", "The sound of rain")]
    assert set(entry["by_class"]) == {"dog_bark", "rain"}
    features = clip_features(plugin(), "text", generated).per_clip
    words = features.new_tensor([[21.0, 0, 1]] * 6 + [[17.0, 0, 1]] * 6)
    cosine = (features * words).sum(1) / features.norm(dim=1) / words.norm(dim=1)
    assert entry["value"] == pytest.approx(float(cosine.mean()), rel=1e-12)


def test_a_metric_that_needs_no_reference_gets_none(generated, real, plugin):
    said = Said()
    metrics = {"wide": genaudio.create("metric", "wide")}
    results = Evaluator(request(generated, real, metrics), progress=said).results()
    assert results["reference"] is None
    assert len(said.lines) == 1


def test_what_metrics_lack_is_said_together_before_anything_is_heard(generated):
    said = Said()
    metrics = {"fad": FAD(), "is": InceptionScore(), "clap": genaudio.create("metric", "clap_score")}
    with pytest.raises(GenaudioError) as caught:
        Evaluator(request(generated, None, metrics), progress=said).results()
    assert [(problem.path, problem.given) for problem in caught.value.problems] == [
        ("fad", "no reference"),
        ("is", "the embedding mel_statistics tells no classes apart"),
        ("clap", "the embedding mel_statistics reads no text"),
    ]
    assert said.lines == []


def test_metrics_by_default_are_left_out_with_a_note(generated, real):
    metrics = {"fad": FAD(draws=0), "is": InceptionScore()}
    results = Evaluator(request(generated, real, metrics, required=False)).results()
    assert [entry["name"] for entry in results["metrics"]] == ["fad"]
    assert "is is left out: the embedding mel_statistics tells no classes apart" in results["notes"]
    with pytest.raises(GenaudioError, match="no reference"):
        Evaluator(request(generated, None, {"fad": FAD()}, required=False)).results()


def test_clips_that_cannot_be_read_are_one_error_and_no_note(generated, real):
    real.clips[3].path.write_bytes(b"none")
    with pytest.raises(GenaudioError) as caught:
        Evaluator(request(generated, real, {"a": FAD(), "b": FAD(seed=1)}, required=False)).results()
    (problem,) = caught.value.problems
    assert problem.given.startswith("1 of 12 clips cannot be used")
    assert problem.path == ""


def test_too_few_clips_are_an_error_of_the_metric(generated, real):
    with pytest.raises(GenaudioError) as caught:
        Evaluator(request(generated.select([0]), real, {"fad": FAD()})).results()
    assert caught.value.problems[0].path == "fad"
    assert "one row" in str(caught.value)


@pytest.mark.parametrize("side", ["generated", "reference"])
def test_nothing_is_measured_where_every_clip_of_a_side_is_silent(generated, real, side, tmp_path):
    def quiet(clips: ClipSet, factor: float, count: int) -> None:
        for clip in clips.clips[:count]:
            sound, rate = soundfile.read(clip.path)
            soundfile.write(clip.path, factor * sound, rate, subtype="FLOAT")

    clips = {"generated": generated, "reference": real}[side]
    metrics = {"fad": FAD(draws=0), "kad": genaudio.create("metric", "kad", draws=0)}
    quiet(clips, 1e-3, 11)
    results = Evaluator(request(generated, real, metrics)).results()
    assert f"11 of the 12 {side} clips are silent (peak below -60 dBFS)" in results["notes"]
    quiet(clips, 1e-3, 12)
    statistics = clip_features(MEL, "mel_statistics", real)
    for reference, source in ((real, clips.folder), (statistics, "real.safetensors")):
        source = generated.folder if side == "generated" else source
        asked = request(generated, reference, metrics, reference_name=str(source), required=False)
        with pytest.raises(GenaudioError) as caught:
            Evaluator(asked).results()
        (problem,) = caught.value.problems
        assert problem.given == f"every clip of {source} is silent (the 12 {side} clips peak below -60 dBFS)"
        assert (problem.path, problem.expected) == ("", "clips with sound")


def test_no_reference_has_no_statistics(generated):
    with pytest.raises(GenaudioError, match="no reference"):
        Evaluator(request(generated, None, {"fad": FAD()})).reference_features()


def test_the_clips_of_a_recipes_dataset_are_a_reference(generated):
    dataset = genaudio.create("dataset", "procedural", sample_rate=RATE, duration=0.25, classes=["metal", "rain"])
    clips = dataset_clips(dataset, "test", count=8)
    assert str(clips.folder) == "procedural, test"
    results = Evaluator(request(generated, clips, {"fad": FAD(draws=0)})).results()
    assert (results["reference"]["source"], results["reference"]["clips"]) == ("procedural, test", 8)
    assert "1 class is in the reference only: metal" in results["notes"]


def test_notes_tell_where_sets_differ_in_more_than_sound():
    def card(rates=("8000",), mean=1.0, silent=0, heard=8000):
        return {
            "clips": 4,
            "silent_clips": silent,
            "sample_rates": dict.fromkeys(rates, 1),
            "seconds": {"mean": mean},
            "embedding_sample_rate": heard,
        }

    assert notes_on((), (), card(), card()) == []
    assert notes_on(("a",), (), card(), None) == []
    assert notes_on((), (), card(), card(rates=("44100",))) == []  # both hold all that an embedding at 8 kHz hears
    (note,) = notes_on((), (), card(heard=16000), card(rates=("44100",), heard=16000))
    assert "generated clips are at 8000 Hz, the reference at 44100 Hz" in note
    assert "hears up to 8000 Hz" in note
    (note,) = notes_on((), (), card(rates=("8000", "16000"), heard=16000), card(rates=("16000",), heard=16000))
    assert "8000, 16000 Hz" in note
    (note,) = notes_on((), (), card(mean=4.0), card(mean=10.0))
    assert note == "generated clips last 4.00 s in the mean, those of the reference 10.00 s"
    (note,) = notes_on((), (), card(silent=2), card())
    assert note == "2 of the 4 generated clips are silent (peak below -60 dBFS)"
    assert notes_on("abcdef", "ab", None, None) == ["4 classes are generated only: c, d, e and 1 more"]
    assert notes_on((), (), card(), {}) == []
    (note,) = notes_on("abcdefghijk", "xy", None, None)
    assert note.startswith("no class is in common: generated clips are of a, b, c, d, e, f, g, h and 3 more; reference")
    assert "of x, y." in note
    assert "name them alike" in note


def test_a_metric_by_class_says_that_no_class_is_in_common(generated, real):
    named = {label: f"{label} sounds" for label in real.classes}
    strangers = replace(real, clips=tuple(replace(clip, label=named[clip.label]) for clip in real.clips))
    metrics = {"fad": FAD(draws=0), "by class": FAD(draws=0, by_class=True)}
    with pytest.raises(GenaudioError, match="no class is in common: generated clips are of"):
        Evaluator(request(generated, strangers, metrics)).results()
    results = Evaluator(request(generated, strangers, metrics, required=False)).results()
    assert [entry["name"] for entry in results["metrics"]] == ["fad"]
    assert any(note.startswith("by class is left out: no class is in common") for note in results["notes"])
    assert any(note.startswith("no class is in common") for note in results["notes"])


def test_the_table_has_every_figure_with_its_classes_and_notes(generated, real):
    results = Evaluator(request(generated, real, {"fad": FAD(draws=3, by_class=True)})).results()
    lines = text(results).splitlines()
    (row,) = [line for line in lines if line.lstrip().startswith("fad ")]
    entry = results["metrics"][0]
    assert f"{entry['value']:.4g}" in row
    assert f"{entry['interval'][0]:.4g} to {entry['interval'][1]:.4g}" in row
    assert row.split()[-2:] == ["12", "12"]
    assert any(line.split()[:1] == ["dog_bark"] for line in lines)
    assert sum(line.startswith("note: ") for line in lines) >= 2

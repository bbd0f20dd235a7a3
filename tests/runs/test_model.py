from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import soundfile
import torch

import genaudio
from genaudio.core.errors import GenaudioError, Interrupted, RunError
from genaudio.core.progress import Progress
from genaudio.representations.complex_stft import ComplexSTFT
from genaudio.runs.blocks import sampler_overrides
from genaudio.runs.model import Model, load
from genaudio.runs.samples import SampleRequest, levels, write_samples


@pytest.fixture
def model(tiny_run: Path) -> Model:
    return genaudio.load(tiny_run, device="cpu")


def test_generate_gives_waveforms_and_their_rate(model):
    waveform, rate = model.generate(3, label="rain", num_steps=2)
    assert waveform.shape == (3, 1, 1000)
    assert waveform.dtype == torch.float32
    assert rate == 8000
    assert bool(waveform.isfinite().all())


@pytest.mark.parametrize("solver", ["exponential_integrator", "heun", {"type": "heun", "s_churn": 10.0}])
def test_batch_size_and_count_never_change_a_sound(model, solver):
    options = {"label": "metal", "seed": 3, "solver": solver, "num_steps": 3}
    whole, _ = model.generate(5, **options)
    for batch_size in (1, 2, 3):
        assert torch.equal(whole, model.generate(5, batch_size=batch_size, **options)[0])
    assert torch.equal(whole[3:], model.generate(2, first_index=3, **options)[0])


def test_items_and_seeds_differ_and_labels_matter(model):
    first, _ = model.generate(2, label="metal", seed=0, num_steps=2)
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first, model.generate(2, label="metal", seed=1, num_steps=2)[0])
    assert not torch.equal(first, model.generate(2, label="rain", seed=0, num_steps=2)[0])
    assert not torch.equal(first, model.generate(2, seed=0, num_steps=2)[0])


def test_guidance_of_scale_1_is_no_guidance_and_of_scale_0_no_condition(model):
    plain, _ = model.generate(1, label="rain", num_steps=2)
    one, _ = model.generate(1, label="rain", num_steps=2, guidance={"type": "cfg", "scale": 1.0})
    none, _ = model.generate(1, label="rain", num_steps=2, guidance={"type": "cfg", "scale": 0.0})
    unconditional, _ = model.generate(1, num_steps=2)
    assert torch.equal(plain, one)
    assert torch.equal(none, unconditional)
    assert not torch.equal(
        plain, model.generate(1, label="rain", num_steps=2, guidance={"type": "cfg", "scale": 4.0})[0]
    )


def test_a_budget_in_evaluations_is_never_exceeded(model):
    for nfe in (1, 4, 7, 10):
        plan = model.plan(solver="heun", nfe=nfe)
        assert plan.evaluations <= nfe
    with pytest.raises(RunError, match="both nfe and num_steps"):
        model.plan(nfe=3, num_steps=3)


def test_unknown_label(model):
    with pytest.raises(RunError, match=r"label 'rian'\n\s+expected  one of metal, rain\n\s+mend\s+did you mean 'rain'"):
        model.generate(1, label="rian")


@pytest.mark.parametrize("count", [0, -1])
def test_count_must_be_positive(model, count):
    with pytest.raises(RunError, match="at least 1"):
        model.generate(count)


def test_an_exported_model_sounds_the_same(model, tmp_path):
    model.save(tmp_path / "given away")
    other = load(tmp_path / "given away", device="cpu")
    assert torch.equal(model.generate(1, label="rain")[0], other.generate(1, label="rain")[0])


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda m: (m / "model.safetensors").write_bytes(b"xx"), "differs from the SHA-256"),
        (lambda m: (m / "model.safetensors").unlink(), "is missing or differs"),
        (
            lambda m: (m / "model.json").write_text("{"),
            r"is not a model card: .*\n    expected .*\n    mend      copy the",
        ),
        (
            lambda m: (m / "model.json").write_text((m / "model.json").read_text().replace('"rain"', '"rain", "wood"')),
            r"does not fit the network in model.json: [^\n]*size mismatch[^\n]*\n    expected  weights and model.json",
        ),
        (lambda m: (m / "model.json").write_text('{"format": 9}'), "has model format 9"),
        (lambda m: (m / "model.json").unlink(), "holds no model"),
    ],
)
def test_a_damaged_model_is_refused_by_name(tiny_run, tmp_path, harm, message):
    folder = shutil.copytree(tiny_run / "model", tmp_path / "model")
    harm(folder)
    with pytest.raises(GenaudioError, match=message):
        load(folder)


def test_a_run_that_is_not_trained_says_how_to_go_on(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(RunError, match=r"finish it with `gen run "):
        load(tmp_path)


def test_sampler_overrides(model):
    chosen = sampler_overrides(model, ["solver=heun", "guidance=cfg", "guidance.scale=3.0"])
    assert type(chosen["solver"]).__name__ == "Heun"
    assert chosen["guidance"].scale == 3.0
    assert sampler_overrides(model, ["guidance=null"])["guidance"] is None
    with pytest.raises(GenaudioError, match=r"--set network"):
        sampler_overrides(model, ["network.channels=3"])


def request(model: Model, **options) -> SampleRequest:
    return SampleRequest(("metal",), 2, model.plan(num_steps=2), seed=1, **options)


@pytest.mark.parametrize(
    ("file_format", "bits", "subtype"), [("wav", 16, "PCM_16"), ("wav", 24, "PCM_24"), ("flac", 24, "PCM_24")]
)
def test_files_hold_what_was_generated(model, tmp_path, file_format, bits, subtype):
    manifest = write_samples(model, request(model, format=file_format, bit_depth=bits), tmp_path / "out", Progress())
    waveform, _ = model.generate(2, label="metal", seed=1, num_steps=2)
    for clip, generated in zip(manifest["clips"], waveform, strict=True):
        path = tmp_path / "out" / clip["file"]
        data, rate = soundfile.read(path, always_2d=True)
        assert (rate, soundfile.info(path).subtype) == (8000, subtype)
        expected = generated.T.numpy() * 10 ** (clip["gain_db"] / 20)
        assert abs(data - expected).max() < 2.0 ** (1 - bits) + 1e-3 * (clip["gain_db"] < 0)
        assert clip["peak_dbfs"] == pytest.approx(levels(torch.from_numpy(expected.T))["peak_dbfs"], abs=0.02)
    assert json.loads((tmp_path / "out/manifest.json").read_text()) == manifest


def test_a_clip_above_full_scale_is_turned_down_not_clipped(model, tmp_path, monkeypatch):
    loud = torch.sin(torch.linspace(0, 50, 1000))[None, None] * 3
    monkeypatch.setattr(ComplexSTFT, "decode", lambda self, x, length: loud.expand(len(x), 1, length))
    manifest = write_samples(model, request(model), tmp_path / "out", Progress())
    clip = manifest["clips"][0]
    data, _ = soundfile.read(tmp_path / "out" / clip["file"])
    assert clip["gain_db"] == pytest.approx(-9.54, abs=0.02)
    assert manifest["attenuated_clips"] == 2
    assert abs(data - loud[0, 0].numpy() / 3).max() < 1e-3


def test_a_clip_that_is_not_finite_is_an_error(model, tmp_path, monkeypatch):
    monkeypatch.setattr(ComplexSTFT, "decode", lambda self, x, length: torch.full((len(x), 1, length), torch.nan))
    with pytest.raises(RunError, match=r"0000\.wav is not finite"):
        write_samples(model, request(model), tmp_path / "out", Progress())
    assert not (tmp_path / "out").exists()


def test_a_folder_with_files_in_it_is_never_overwritten(model, tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(RunError, match="is not empty"):
        write_samples(model, request(model), tmp_path, Progress())
    assert (tmp_path / "mine.txt").read_text() == "keep"


def test_another_request_starts_afresh_and_the_same_one_goes_on(model, tmp_path, monkeypatch):
    import genaudio.runs.samples as samples

    write = samples.write_clip

    def stop_at_second(path, *rest):
        if path.stem == "0001":
            raise KeyboardInterrupt
        return write(path, *rest)

    monkeypatch.setattr(samples, "write_clip", stop_at_second)
    with pytest.raises(Interrupted, match="1 of 2 clips are made and kept"):
        write_samples(model, request(model), tmp_path / "out", Progress())
    monkeypatch.undo()
    assert (tmp_path / ".out.partial/metal/0000.wav").exists()  # written as soon as it is done
    other = SampleRequest(("rain",), 1, model.plan(num_steps=2), seed=1, format="flac")
    assert [clip["file"] for clip in write_samples(model, other, tmp_path / "out", Progress())["clips"]] == [
        "rain/0000.flac"
    ]


def test_the_same_request_into_the_same_folder_is_done_already(model, tmp_path):
    first = write_samples(model, request(model), tmp_path / "out", Progress())
    assert write_samples(model, request(model), tmp_path / "out", Progress()) == first
    with pytest.raises(RunError, match="is not empty"):
        write_samples(model, request(model, first_index=1), tmp_path / "out", Progress())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 1.5}, "count is 1.5"),
        ({"count": True}, "count is True"),
        ({"seed": -1}, "seed is -1"),
        ({"first_index": -1}, "first_index is -1"),
        ({"nfe": "3"}, "nfe is '3'"),
        ({"label": 3}, "label 3"),
        ({"solver": 3}, "solver is 3"),
        ({"solver": {"order": 2}}, "a mapping with 'type'"),
        ({"solver": genaudio.create("schedule", "karras")}, "solver is"),
    ],
)
def test_wrong_arguments_are_refused_by_name(model, options, message):
    with pytest.raises(RunError, match=message):
        model.generate(**{"count": 1, **options})


def test_each_index_needs_a_label(model):
    with pytest.raises(RunError, match="2 indices and 1 labels"):
        list(model.stream(model.plan(), range(2), ["rain"]))

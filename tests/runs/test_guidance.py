"""Guidance from recipe to clips: lists, weak models, checkpoints."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import genaudio
from genaudio.core.errors import GenaudioError, RunError
from genaudio.core.files import sha256
from genaudio.core.seeds import derive_seed
from genaudio.runs.guidance import without_condition
from genaudio.runs.model import Model, load
from genaudio.runs.sampling import TILE
from genaudio.samplers.euler import Euler
from genaudio.samplers.guidance.apg import APG
from genaudio.samplers.guidance.autoguidance import Autoguidance
from genaudio.samplers.guidance.cfg import CFG
from genaudio.samplers.guidance.interval import Interval
from genaudio.samplers.guidance.rescale import Rescale
from genaudio.samplers.schedules.karras import Karras
from tests.conftest import gen

LIST = [{"type": "cfg", "scale": 3}, {"type": "interval", "low": 0.1, "high": 5}, "rescale"]


@pytest.fixture
def model(tiny_run: Path) -> Model:
    return genaudio.load(tiny_run, device="cpu")


@pytest.fixture(scope="module")
def weak(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model of the tiny run one step before its end."""
    folder = tmp_path_factory.mktemp("weak") / "model"
    assert gen("export", tiny_run, "--out", folder, "--checkpoint", 9) == 0
    return folder


def auto(weak: Path, scale: float = 2.0) -> dict[str, Any]:
    return {"type": "autoguidance", "model": str(weak), "scale": scale}


# -- checkpoints as models ---------------------------------------------------------------------------------------------


def test_an_exported_checkpoint_has_its_averaged_weights(tiny_run: Path, weak: Path) -> None:
    exported = load_file(weak / "model.safetensors")
    average = load_file(tiny_run / "checkpoints/step-00000009/ema.safetensors")
    final = load_file(tiny_run / "model/model.safetensors")
    assert exported.keys() == average.keys() == final.keys()
    assert all(torch.equal(exported[name], average[name]) for name in average)
    assert not all(torch.equal(exported[name], final[name]) for name in final)
    card, whole = (json.loads((folder / "model.json").read_text()) for folder in (weak, tiny_run / "model"))
    assert card["step"] == 9
    assert card["sha256"] == sha256(weak / "model.safetensors")
    same = [key for key in whole if key not in ("step", "sha256")]
    assert {key: card[key] for key in same} == {key: whole[key] for key in same}


def test_the_last_checkpoint_is_the_model(tiny_run: Path, model: Model, tmp_path: Path) -> None:
    assert gen("export", tiny_run, "--out", tmp_path / "last", "--checkpoint", 10) == 0
    assert torch.equal(load(tmp_path / "last").generate(1, "rain")[0], model.generate(1, "rain")[0])


def test_a_checkpoint_that_is_not_there_names_those_that_are(
    tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gen("export", tiny_run, "--out", tmp_path / "x", "--checkpoint", 5) == 2
    error = capsys.readouterr().err
    assert "has no checkpoint of step 5" in error
    assert "expected  one of 9, 10" in error
    assert "training.keep_checkpoints" in error
    assert not (tmp_path / "x").exists()
    assert gen("export", tiny_run / "model", "--out", tmp_path / "x", "--checkpoint", 9) == 2
    assert "a run that has saved checkpoints" in capsys.readouterr().err


def test_a_damaged_checkpoint_is_not_exported(
    tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = shutil.copytree(tiny_run, tmp_path / "run")
    (run / "checkpoints/step-00000009/ema.safetensors").write_bytes(b"x")
    assert gen("export", run, "--out", tmp_path / "x", "--checkpoint", 9) == 2
    assert "step-00000009 is damaged (ema.safetensors differ" in capsys.readouterr().err


# -- autoguidance ------------------------------------------------------------------------------------------------------


def test_autoguidance_is_the_formula_on_both_models(model: Model, weak: Path) -> None:
    """The clips are those of D_weak + 2.5 (D - D_weak), spelt out here without the guidance component."""
    options: dict[str, Any] = {"label": "rain", "seed": 4, "solver": "euler", "schedule": "karras", "num_steps": 3}
    guided, _ = model.generate(2, guidance=auto(weak, 2.5), **options)

    denoisers = []
    for one in (model, load(weak, "cpu")):
        preconditioned = one.generator().preconditioner.denoiser(one.weights.network_function(bf16=False))
        condition = one.weights.condition(torch.tensor([one.classes.index("rain")]))
        denoisers.append((preconditioned, condition))

    def formula(x: torch.Tensor, sigma: float) -> torch.Tensor:
        strong, bad = (denoiser(x, sigma, condition) for denoiser, condition in denoisers)
        return bad + 2.5 * (strong - bad)

    generator = model.generator()
    sigmas = Karras().sigmas(3, 0.002, 80.0)
    for index in range(2):
        noise = torch.randn(
            (1, *generator.shape), generator=torch.Generator().manual_seed(derive_seed(4, "item", index))
        )
        with torch.no_grad():
            x = Euler().solve(formula, noise * 80.0, sigmas)
        torch.testing.assert_close(guided[index : index + 1], generator.representation.decode(x, generator.length))


def test_the_ends_of_autoguidance_are_the_models_themselves(model: Model, weak: Path) -> None:
    options: dict[str, Any] = {"label": "metal", "num_steps": 2}
    plain, bad = model.generate(1, **options)[0], load(weak, "cpu").generate(1, **options)[0]
    assert torch.equal(model.generate(1, guidance=auto(weak, 1.0), **options)[0], plain)
    assert torch.equal(model.generate(1, guidance=auto(weak, 0.0), **options)[0], bad)
    assert not torch.equal(plain, bad)
    assert not torch.equal(model.generate(1, guidance=auto(weak), **options)[0], plain)


def test_a_relative_path_counts_from_the_current_directory(
    model: Model, weak: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(weak.parent)
    options: dict[str, Any] = {"label": "rain", "num_steps": 2}
    relative, _ = model.generate(1, guidance=auto(Path("model")), **options)
    assert torch.equal(relative, model.generate(1, guidance=auto(weak), **options)[0])


def edited(weak: Path, folder: Path, **changes: Any) -> Path:
    """A copy of a model whose card says something else."""
    shutil.copytree(weak, folder)
    card = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(card | changes))
    return folder


def test_a_weak_model_that_does_not_fit_is_refused(model: Model, weak: Path, tmp_path: Path) -> None:
    card = json.loads((weak / "model.json").read_text())
    other = edited(weak, tmp_path / "classes", classes=["metal", "bird"])
    with pytest.raises(RunError, match=r"classes has the classes metal, bird\n\s+expected  .*: metal, rain\n.*export"):
        model.generate(1, "rain", guidance=auto(other))
    other = edited(weak, tmp_path / "rate", audio=card["audio"] | {"sample_rate": 16000})
    with pytest.raises(RunError, match=r"rate has the audio format .*16000"):
        model.generate(1, "rain", guidance=auto(other))
    components = card["components"]
    scaled = components | {"representation": components["representation"] | {"scale": 3.0}}
    other = edited(weak, tmp_path / "representation", components=scaled)
    with pytest.raises(RunError, match=r"representation has the representation .*scale=3\.0"):
        model.generate(1, "rain", guidance=auto(other))
    with pytest.raises(RunError, match=r"(?s)the weak model of guidance: .*nowhere holds no model.*current directory"):
        model.generate(1, "rain", guidance=auto(tmp_path / "nowhere"))


def test_a_weak_model_must_know_the_null_condition_where_that_is_asked_for(
    model: Model, weak: Path, tmp_path: Path
) -> None:
    components = json.loads((weak / "model.json").read_text())["components"]
    components["conditioner"]["dropout"] = 0.0
    other = edited(weak, tmp_path / "strict", components=components)
    model.generate(1, "rain", num_steps=1, guidance=auto(other))
    with pytest.raises(RunError, match=r"no label is given, and the model was trained with conditioner\.dropout 0"):
        model.generate(1, num_steps=1, guidance=auto(other))


def test_the_guidance_of_a_weak_model_is_none_of_our_business(model: Model, weak: Path, tmp_path: Path) -> None:
    """Its own guidance is not applied, even where that names the model itself."""
    components = json.loads((weak / "model.json").read_text())["components"]
    other = tmp_path / "loop"
    edited(weak, other, components=components | {"guidance": auto(other)})
    options: dict[str, Any] = {"label": "rain", "num_steps": 2}
    guided, _ = model.generate(1, guidance=auto(other), **options)
    assert torch.equal(guided, model.generate(1, guidance=auto(weak), **options)[0])
    load(other, "cpu").generate(1, **options)  # guided by itself: one level, no more


# -- lists -------------------------------------------------------------------------------------------------------------


def test_a_list_of_one_is_that_one_and_an_empty_one_none(model: Model) -> None:
    options: dict[str, Any] = {"label": "rain", "num_steps": 2}
    single, _ = model.generate(1, guidance={"type": "cfg", "scale": 3.0}, **options)
    assert torch.equal(single, model.generate(1, guidance=[CFG(scale=3.0)], **options)[0])
    assert torch.equal(single, model.generate(1, guidance=CFG(scale=3.0), **options)[0])
    assert torch.equal(model.generate(1, guidance=[], **options)[0], model.generate(1, **options)[0])


def test_batch_size_and_tile_never_change_a_guided_sound(
    model: Model, weak: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guidance = [{"type": "apg", "scale": 3.0}, {"type": "interval", "low": 0.1, "high": 20.0}, auto(weak), "rescale"]
    options: dict[str, Any] = {"label": "metal", "num_steps": 3, "guidance": guidance}
    whole, _ = model.generate(5, **options)
    for batch_size in (1, 3):
        assert torch.equal(whole, model.generate(5, batch_size=batch_size, **options)[0])
    assert torch.equal(whole[3:], model.generate(2, first_index=3, **options)[0])
    monkeypatch.setitem(TILE, "cpu", 4)
    torch.testing.assert_close(model.generate(5, **options)[0], whole, rtol=1e-3, atol=1e-4)


def test_mistakes_in_a_list_name_the_item(model: Model) -> None:
    with pytest.raises(GenaudioError, match=r"^guidance\.1\.phi\n\s+given     2"):
        model.plan(guidance=["cfg", {"type": "rescale", "phi": 2}])
    with pytest.raises(GenaudioError, match=r"^guidance\.1\n\s+given     low 3 and high 2"):
        model.plan(guidance=["cfg", {"type": "interval", "low": 3, "high": 2}])
    with pytest.raises(RunError, match=r"guidance\.1 is 3\n\s+expected  a Guidance, a name"):
        model.plan(guidance=["cfg", 3])
    with pytest.raises(GenaudioError, match=r"did you mean 'rescale'"):
        model.plan(guidance=["cfg", "rescael"])
    with pytest.raises(RunError, match=r"guidance\.0\n\s+given     no guidance before it"):
        model.plan(guidance=["rescale", "cfg"])


def test_a_run_with_a_list_from_training_to_report(
    tiny_recipe: Path, tmp_path: Path, weak: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    given = json.dumps([*LIST, auto(weak)])
    assert gen("run", tiny_recipe, "--out", run, "--set", f"guidance={given}", "--set", "training.steps=2") == 0
    components = (CFG(scale=3.0), Interval(low=0.1, high=5.0), Rescale(), Autoguidance(model=str(weak)))
    manifest = json.loads((run / "samples/manifest.json").read_text())
    assert [one["type"] for one in manifest["guidance"]] == ["cfg", "interval", "rescale", "autoguidance"]
    assert manifest["weak_models"] == [
        {"name": "tiny", "step": 9, "sha256": sha256(weak / "model.safetensors"), "path": str(weak)}
    ]
    assert "cfg (scale 3.0), then interval (low 0.1, high 5.0), then rescale" in (run / "report.html").read_text()
    record = json.loads((run / "run.json").read_text())["stages"]["sample"]
    assert record["network_evaluations"] == manifest["network_evaluations"]
    assert genaudio.load_recipe(run / "recipe.yaml").guidance == components

    trained = load(run, "cpu")
    assert trained.components["guidance"] == components
    assert gen("export", run, "--out", tmp_path / "exported") == 0
    other = load(tmp_path / "exported", "cpu")
    assert other.components["guidance"] == components
    assert torch.equal(trained.generate(1, "rain")[0], other.generate(1, "rain")[0])

    sample = ("sample", tmp_path / "exported", "--label", "rain", "--count", 1, "--quiet", "--out")
    changes = ("--set", "guidance.0.scale=4", "--set", "guidance.2=cfg")
    assert gen(*sample, tmp_path / "clips", *changes) == 0
    types = json.loads((tmp_path / "clips/manifest.json").read_text())["guidance"]
    assert types[0] == {"type": "cfg", "scale": 4.0}
    assert types[2] == {"type": "cfg", "scale": 1.0}
    capsys.readouterr()
    assert gen(*sample, tmp_path / "none", "--set", "guidance.2.phi=7") == 2
    assert capsys.readouterr().err.startswith("guidance.2.phi\n")


def test_a_card_with_a_single_mapping_is_read_as_ever(model: Model, tiny_run: Path, tmp_path: Path) -> None:
    card = json.loads((tiny_run / "model/model.json").read_text())
    components = card["components"] | {"guidance": {"type": "cfg", "scale": 2.0}}
    other = edited(tiny_run / "model", tmp_path / "single", components=components)
    assert load(other).components["guidance"] == CFG(scale=2.0)


# -- without a condition -----------------------------------------------------------------------------------------------


def test_a_model_without_classes_guided_by_its_own_checkpoint(tiny_recipe: Path, tmp_path: Path) -> None:
    """One recipe from training to clips: the weak model is made after training and before sampling."""
    run, weak = tmp_path / "run", tmp_path / "weak"
    overrides = ["conditioner=null", "training.steps=4", f"guidance=[{json.dumps(auto(weak, 3.0))}, rescale]"]
    recipe = genaudio.load_recipe(tiny_recipe, overrides)
    genaudio.run(recipe, run, until="train", quiet=True)
    with pytest.raises(RunError, match="the weak model of guidance"):
        genaudio.run(recipe, run, quiet=True)
    assert gen("export", run, "--out", weak, "--checkpoint", 3) == 0
    genaudio.run(recipe, run, until="sample", quiet=True)
    manifest = json.loads((run / "samples/manifest.json").read_text())
    assert [one["type"] for one in manifest["guidance"]] == ["autoguidance", "rescale"]
    assert (manifest["evaluations"], manifest["network_evaluations"]) == (3, 6)

    model = load(run, "cpu")
    with pytest.raises(RunError, match="guidance, while conditioner is null"):
        model.generate(1, guidance="cfg")


def test_a_weak_model_is_looked_for_before_hours_of_training(tiny_recipe: Path, tmp_path: Path) -> None:
    recipe = genaudio.load_recipe(tiny_recipe, ["guidance={type: autoguidance, model: no/where}"])
    with pytest.raises(RunError, match="no/where holds no model"):
        genaudio.run(recipe, tmp_path / "run", quiet=True)
    assert not (tmp_path / "run/checkpoints").exists()


def test_a_conditional_weak_model_does_not_fit_one_without(tiny_recipe: Path, weak: Path, tmp_path: Path) -> None:
    recipe = genaudio.load_recipe(tiny_recipe, ["conditioner=null", f"guidance={json.dumps(auto(weak))}"])
    with pytest.raises(RunError, match=r"has the classes metal, rain\n\s+expected  .*: None"):
        genaudio.run(recipe, tmp_path / "run", quiet=True)


def test_what_of_a_list_is_left_without_a_condition() -> None:
    weak, interval = Autoguidance(model="w"), Interval(high=3.0)
    assert without_condition(None) is None
    assert without_condition(CFG()) is None
    assert without_condition(weak) == weak
    assert without_condition((CFG(), interval, Rescale())) is None
    assert without_condition((APG(), interval, weak, Rescale())) == (weak, Rescale())

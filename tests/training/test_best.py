from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from genaudio.core.errors import Interrupted, RunError
from genaudio.core.recipe import load_recipe
from genaudio.training.best import PeriodicEvaluation, best_of, keep_if_best
from genaudio.training.log import read_metrics
from genaudio.training.model import DiffusionModel, build_model
from genaudio.training.trainer import Trainer, TrainingJob


def evaluation(better: str = "lower") -> PeriodicEvaluation:
    return PeriodicEvaluation(1, lambda model, step: {}, "fad", better)  # type: ignore[arg-type]


def kept(folder: Path, values: list[float], better: str = "lower") -> list[bool]:
    """Whether each value, offered after steps 1, 2, … with weights that are its step, was kept."""
    found = []
    for step, value in enumerate(values, start=1):
        weights = nn.Linear(1, 1)
        nn.init.constant_(weights.weight, step)
        found.append(keep_if_best(folder, step, weights, evaluation(better), {"fad": value}))
    return found


def test_weights_are_kept_when_they_are_better_and_only_then(tmp_path: Path) -> None:
    assert kept(tmp_path, [3.0, 4.0, 2.0, 2.0, 5.0]) == [True, False, True, False, False]
    best = best_of(tmp_path)
    assert best is not None
    assert (best.step, best.name, best.value) == (3, "fad", 2.0)
    model = nn.Linear(1, 1)
    best.load(model)
    assert model.weight.item() == 3


def test_higher_may_be_better(tmp_path: Path) -> None:
    assert kept(tmp_path, [3.0, 2.0, 4.0], "higher") == [True, False, True]


def test_figures_that_were_measured_otherwise_are_not_compared(tmp_path: Path) -> None:
    kept(tmp_path, [3.0])
    other = replace(evaluation(), measured_by={"metric": {"type": "fad", "frames": "mean"}})
    assert keep_if_best(tmp_path, 2, nn.Linear(1, 1), other, {"fad": 9.0})  # 9 of one kind is not worse than 3
    assert not keep_if_best(tmp_path, 3, nn.Linear(1, 1), other, {"fad": 9.5})
    best = best_of(tmp_path)
    assert best is not None
    assert best.measured_by == other.measured_by


def test_a_value_that_is_no_number_is_never_kept(tmp_path: Path) -> None:
    assert kept(tmp_path, [float("nan"), 3.0, float("nan")]) == [False, True, False]
    assert kept(tmp_path / "higher", [float("inf"), 3.0, float("inf")], "higher") == [False, True, False]
    assert not keep_if_best(tmp_path, 4, nn.Linear(1, 1), evaluation(), {"kad": 1.0})  # fad could not be measured


def test_nothing_kept_is_none_and_damage_is_told_and_mended_by_the_next(tmp_path: Path) -> None:
    assert best_of(tmp_path) is None
    kept(tmp_path, [3.0])
    (tmp_path / "best" / "ema.safetensors").write_bytes(b"damaged")
    with pytest.raises(RunError, match=r"best is damaged \(ema.safetensors differ"):
        best_of(tmp_path)
    assert kept(tmp_path, [9.0]) == [True]
    assert best_of(tmp_path) is not None


def job(tiny_recipe: Path) -> TrainingJob:
    recipe = load_recipe(tiny_recipe)
    clips = recipe.dataset.open("train")
    shape = recipe.representation.shape(clips.length, clips.channels)
    model = build_model(recipe.network, recipe.conditioner, shape, len(clips.classes), recipe.seed)
    return TrainingJob(
        seed=recipe.seed,
        settings=recipe.training,
        model=model,
        clips=clips,
        representation=recipe.representation,
        preconditioner=recipe.preconditioner.fitted(0.5),
        noise=recipe.noise.fitted(0.5),
        label_dropout=0.1,
        device=torch.device("cpu"),
    )


class Watch:
    """Measures the size of the weights; stops the first time it is asked after a step of `stop_at`."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.stop_at = stop_at
        self.asked: list[int] = []

    def __call__(self, model: DiffusionModel, step: int) -> dict[str, float]:
        torch.randn(3)  # whoever measures may draw
        self.asked.append(step)
        if step == self.stop_at:
            raise Interrupted("stopped")
        size = float(sum(weight.detach().abs().sum() for weight in model.parameters()))
        return {"size": size, "step": float(step)}


def trained(
    tiny_recipe: Path, folder: Path, watch: Watch | None, better: Literal["lower", "higher"] = "higher"
) -> DiffusionModel:
    periodic = None if watch is None else PeriodicEvaluation(4, watch, "step", better, {"better": better})
    return Trainer(job(tiny_recipe), folder, evaluation=periodic).run()


def measured(folder: Path) -> list[tuple[float, float]]:
    return [(row["step"], row["metric/size"]) for row in read_metrics(folder / "metrics.jsonl") if "metric/size" in row]


def test_figures_are_measured_every_so_many_steps_and_move_no_weight(tiny_recipe: Path, tmp_path: Path) -> None:
    watch = Watch()
    watched = trained(tiny_recipe, tmp_path / "watched", watch).state_dict()
    plain = trained(tiny_recipe, tmp_path / "plain", None).state_dict()
    assert watch.asked == [4, 8, 10]  # and after the last
    assert all(watched[name].equal(plain[name]) for name in plain)
    assert [step for step, _ in measured(tmp_path / "watched")] == [4, 8, 10]
    losses = [
        [row["loss"] for row in read_metrics(tmp_path / name / "metrics.jsonl") if "loss" in row]
        for name in ("watched", "plain")
    ]
    assert losses[0] == losses[1]
    best = load_file(tmp_path / "watched/checkpoints/best/ema.safetensors")
    assert all(best[name].equal(watched[name]) for name in watched)


def test_a_measurement_that_was_stopped_is_done_when_the_run_goes_on(tiny_recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        trained(tiny_recipe, tmp_path / "stopped", Watch(stop_at=8))
    again = Watch()
    resumed = trained(tiny_recipe, tmp_path / "stopped", again).state_dict()
    straight = trained(tiny_recipe, tmp_path / "straight", Watch()).state_dict()
    assert again.asked == [8, 10]
    assert measured(tmp_path / "stopped") == measured(tmp_path / "straight")
    assert all(resumed[name].equal(straight[name]) for name in straight)


def test_what_is_left_is_measured_again_where_figures_do_not_compare(tiny_recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        trained(tiny_recipe, tmp_path, Watch(stop_at=8), "lower")  # step 4 is the best by what was measured first
    before = load_file(tmp_path / "checkpoints/best/ema.safetensors")
    again = Watch()
    trained(tiny_recipe, tmp_path, again, "higher")
    assert again.asked == [4, 8, 10]  # the best until then, and the checkpoint that is there; then as ever
    best = best_of(tmp_path / "checkpoints")
    assert best is not None
    assert (best.step, best.measured_by) == (10, {"better": "higher"})
    rows = read_metrics(tmp_path / "metrics.jsonl")
    assert [row["step"] for row in rows if "earlier/metric/step" in row] == [4]
    assert [row["metric/step"] for row in rows if "metric/step" in row] == [4, 8, 10]
    assert [row["step"] for row in rows] == sorted(row["step"] for row in rows)
    trained(tiny_recipe, tmp_path, Watch(), "lower")  # after the end: step 10, of which there are weights, and no other
    best = best_of(tmp_path / "checkpoints")
    assert best is not None
    assert best.step == 10
    after = load_file(tmp_path / "checkpoints/best/ema.safetensors")
    assert any(not before[name].equal(after[name]) for name in before)


def test_the_end_is_measured_before_the_first_turn_comes(tiny_recipe: Path, tmp_path: Path) -> None:
    changed = job(tiny_recipe)
    changed = replace(changed, settings=changed.settings.model_copy(update={"steps": 3, "log_every": 1}))
    Trainer(changed, tmp_path, evaluation=PeriodicEvaluation(5, Watch(), "size", "lower")).run()
    assert [step for step, _ in measured(tmp_path)] == [3]

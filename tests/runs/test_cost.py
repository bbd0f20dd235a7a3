"""What each clip has cost: evaluations of the guided denoiser, and of networks, counted as they happen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import genaudio
from genaudio.core.errors import Interrupted
from genaudio.core.progress import Progress
from genaudio.core.registry import Entry
from genaudio.plugins.manager import registry
from genaudio.runs.model import Model
from genaudio.runs.samples import SampleRequest, write_samples
from genaudio.runs.sampling import TILE, Cost, SamplingPlan
from genaudio.samplers.base import Solver
from genaudio.samplers.euler import Euler
from genaudio.samplers.guidance.cfg import CFG
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


def written(model: Model, folder: Path, guidance: Any, **options: Any) -> dict[str, Any]:
    plan = model.plan(solver="euler", schedule="karras", num_steps=6, guidance=guidance)
    return write_samples(model, SampleRequest(("metal", "rain"), 2, plan, seed=1, **options), folder, Progress())


def test_network_evaluations_are_counted_as_they_happen(model: Model, weak: Path, tmp_path: Path) -> None:
    levels = [float(sigma) for sigma in Karras().sigmas(6, 0.002, 80.0)[:-1]]
    inside = sum(0.1 < sigma <= 5 for sigma in levels)
    assert 0 < inside < 6
    for number, (guidance, network) in enumerate(
        [
            ([], 6),
            ({"type": "cfg", "scale": 1.0}, 6),
            ({"type": "cfg", "scale": 0.0}, 6),
            ({"type": "cfg", "scale": 3.0}, 12),
            (LIST, 6 + inside),
            (auto(weak), 12),
            ([{"type": "apg"}, auto(weak), "rescale"], 18),
            ([*LIST, auto(weak)], 12 + inside),
        ]
    ):
        manifest = written(model, tmp_path / str(number), guidance)
        assert (manifest["evaluations"], manifest["network_evaluations"]) == (6, network), guidance
        assert {(clip["evaluations"], clip["network_evaluations"]) for clip in manifest["clips"]} == {(6, network)}


def test_what_fills_a_tile_is_not_counted(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TILE, "cpu", 4)
    costs: list[Cost] = []
    plan = model.plan(solver="heun", num_steps=2, guidance={"type": "cfg", "scale": 3.0})
    list(model.stream(plan, range(6), ["rain"] * 6, batch_size=5, on_cost=costs.append))
    assert costs == [Cost(evaluations=3, network_evaluations=6)] * 6


def test_counts_survive_an_interruption(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import genaudio.runs.samples as samples

    write = samples.write_clip

    def stop_at_third(path: Path, *rest: Any) -> Any:
        if path.stem == "0002":
            raise KeyboardInterrupt
        return write(path, *rest)

    monkeypatch.setattr(samples, "write_clip", stop_at_third)
    with pytest.raises(Interrupted):
        written(model, tmp_path / "out", LIST)
    monkeypatch.undo()
    whole, resumed = written(model, tmp_path / "whole", LIST), written(model, tmp_path / "out", LIST)
    assert resumed["clips"] == whole["clips"]
    assert resumed["network_evaluations"] == whole["network_evaluations"]


class Adaptive(Solver):
    """Euler's method on as many steps as the noise that it is given says: 2, 3 or 4."""

    @property
    def order(self) -> int:
        return 1

    def evaluations(self, num_steps: int) -> int | None:
        return None

    def solve(self, denoiser: Any, x: Any, sigmas: Any, *, generator: Any = None, callback: Any = None) -> Any:
        steps = 2 + int(x.abs().sum() * 1000) % 3
        ends = Karras().sigmas(steps, float(sigmas[-2]), float(sigmas[0]))
        return Euler().solve(denoiser, x, ends, generator=generator, callback=callback)


def test_the_evaluations_of_an_adaptive_solver_are_the_counted_ones(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = Entry("solver", "adaptive", f"{Adaptive.__module__}:Adaptive", "")
    monkeypatch.setitem(registry()._entries, ("solver", "adaptive"), entry)
    plan = SamplingPlan.of(Adaptive(), Karras(), CFG(scale=3.0))
    assert plan.evaluations is None
    request = SampleRequest(("metal", "rain"), 3, plan, seed=1)
    manifest = write_samples(model, request, tmp_path / "out", Progress())
    counts = [clip["evaluations"] for clip in manifest["clips"]]
    assert len(set(counts)) > 1
    assert set(counts) <= {2, 3, 4}
    assert manifest["evaluations"] == pytest.approx(sum(counts) / 6, abs=0.005)
    assert manifest["network_evaluations"] == pytest.approx(2 * sum(counts) / 6, abs=0.005)
    assert write_samples(model, request, tmp_path / "out", Progress()) == manifest  # known as done

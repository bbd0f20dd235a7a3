"""The training loop.

Everything random in step k is drawn from generators seeded by (seed, k): a run that was killed and resumed ends with
the same weights as one that was not.

Shapes: x (batch, features, freq, time); sigma (batch,).
"""

from __future__ import annotations

import copy
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from genaudio.core.errors import Interrupted, RunError
from genaudio.core.progress import Progress
from genaudio.core.seeds import derive_seed
from genaudio.core.settings import TrainingSettings
from genaudio.datasets.base import Clips
from genaudio.networks.conditioners.base import DROPPED
from genaudio.preconditioners.base import ConditionalDenoiser, Preconditioner
from genaudio.representations.base import Representation
from genaudio.training.batches import Batch, Batches
from genaudio.training.best import PeriodicEvaluation, keep_if_best, leftovers
from genaudio.training.checkpoint import load_average, newest_checkpoint, restore, save_checkpoint
from genaudio.training.device import repeatable, use_bf16
from genaudio.training.ema import MovingAverage
from genaudio.training.interrupt import StopRequest, stop_on_signal
from genaudio.training.learning_rate import learning_rate
from genaudio.training.log import EVALUATED, FIGURE, MetricsLog, read_metrics, supersede_figures
from genaudio.training.loss import denoising_loss
from genaudio.training.model import DiffusionModel
from genaudio.training.noise.base import NoiseDistribution

StepObserver = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True)
class TrainingJob:
    """What is trained on what: the parts of a recipe that training needs, built."""

    seed: int
    settings: TrainingSettings
    model: DiffusionModel
    clips: Clips
    representation: Representation
    preconditioner: Preconditioner
    noise: NoiseDistribution
    label_dropout: float
    device: torch.device


@dataclass(frozen=True)
class _Step:
    """A step whose loss has not been looked at yet: reading it would make the host wait for the device."""

    number: int
    loss: Tensor
    gradient_norm: Tensor
    batch: Batch


class Trainer:
    """Runs a job from its newest checkpoint to its last step; `folder` holds checkpoints and the log."""

    def __init__(
        self,
        job: TrainingJob,
        folder: Path,
        *,
        progress: Progress | None = None,
        observer: StepObserver | None = None,
        evaluation: PeriodicEvaluation | None = None,
    ) -> None:
        self.job = job
        self.folder = folder
        self.progress = progress or Progress()
        self.observer = observer
        self.evaluation = evaluation
        self.model = job.model.to(job.device).train()
        self.average = MovingAverage(self.model, job.settings.ema_decay)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(),
            lr=job.settings.learning_rate,
            weight_decay=job.settings.weight_decay,
            fused=job.device.type in ("cpu", "cuda"),
        )
        self._unread: deque[_Step] = deque()
        self._losses: list[float] = []  # since the last row of the log
        self._gradient_norm = 0.0

    def run(self) -> DiffusionModel:
        """Train to the last step and return the averaged model; raises `Interrupted` after Ctrl-C or SIGTERM."""
        checkpoints = self.folder / "checkpoints"
        checkpoint, damaged = newest_checkpoint(checkpoints)
        for line in damaged:
            self.progress.say(f"warning: {line}; passed over")
        start = 0
        if checkpoint is not None:
            restore(checkpoint, self.model, self.average.model, self.optimizer, self.job.device)
            start = checkpoint.step
            self._losses = list(checkpoint.manifest["log"]["losses"])
            self._gradient_norm = checkpoint.manifest["log"]["gradient_norm"]
            self.progress.say(f"training goes on from the checkpoint after step {start}")
        with repeatable(self.job.device):
            self._choose_anew()
        log = MetricsLog(self.folder / "metrics.jsonl", step=start, tensorboard=self.folder / "tensorboard")
        try:
            with repeatable(self.job.device), stop_on_signal() as stop:
                if start and not self._evaluated(start):
                    self._evaluate(start, log)
                self._loop(start, log, stop)
        finally:
            log.close()
            self.progress.finish()
        return self.average.model

    def _loop(self, start: int, log: MetricsLog, stop: StopRequest) -> None:
        settings = self.job.settings
        if settings.compile:
            self.model.network.compile()
        denoiser = self.job.preconditioner.denoiser(
            self.model.network_function(bf16=use_bf16(settings.precision, self.job.device))
        )
        batches = Batches(self.job.clips, settings.batch_size, self.job.seed)
        self.progress.start("train", settings.steps, start)
        began, began_at = time.perf_counter(), start
        for done, batch in enumerate(batches.walk(start, settings.steps, settings.workers), start + 1):
            self._unread.append(self._step(done - 1, batch, denoiser))
            stopping = bool(stop)  # asked once a step: a later request is met, and saved, at the next one
            evaluating = self._due(done)  # saved before: a measurement may take long, and be stopped
            saving = stopping or evaluating or done % settings.checkpoint_every == 0 or done == settings.steps
            logging = done % settings.log_every == 0 or done == settings.steps
            if saving or logging or self.job.device.type == "cpu":
                self._read()
            if logging:
                seconds = time.perf_counter() - began
                clips_per_second = (done - began_at) * settings.batch_size / seconds
                self._log(log, done, clips_per_second)
                began, began_at = time.perf_counter(), done
            if saving:
                self._save(done)
            if evaluating and not stopping:
                self._evaluate(done, log)
                began, began_at = time.perf_counter(), done
            if stopping:
                raise Interrupted(f"training stopped after step {done}, which is saved")

    def _step(self, step: int, batch: Batch, denoiser: ConditionalDenoiser) -> _Step:
        job = self.job
        torch.manual_seed(derive_seed(job.seed, "step", step))  # for the network's own randomness, as dropout
        generator = torch.Generator().manual_seed(derive_seed(job.seed, "noise", step))
        x = job.representation.encode(batch.waveform.to(job.device, non_blocking=True))
        sigma = job.noise.sample(len(x), generator).to(job.device)
        noise = torch.randn(x.shape, generator=generator).to(x)
        dropped = torch.rand(len(x), generator=generator) < job.label_dropout
        labels = batch.labels.masked_fill(dropped, DROPPED).to(job.device)
        loss = denoising_loss(denoiser, job.preconditioner, x, sigma, noise, self.model.condition(labels)).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        limit = float("inf") if job.settings.gradient_clip is None else job.settings.gradient_clip
        gradient_norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), limit, foreach=True)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(job.settings, step)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.average.update(self.model, step)
        return _Step(step, loss.detach(), gradient_norm.detach(), batch)

    def _read(self) -> None:
        """Look at the losses so far; a step that is not finite ends the run before anything of it is saved."""
        while self._unread:
            step = self._unread.popleft()
            loss, gradient_norm = float(step.loss), float(step.gradient_norm)
            for name, value in (("loss", loss), ("gradient norm", gradient_norm)):
                if not torch.isfinite(torch.tensor(value)):
                    raise RunError(
                        f"the {name} of step {step.number + 1} is {value}; "
                        f"its batch: {', '.join(step.batch.identities)}",
                        expected="finite numbers",
                        mend="lower training.learning_rate, set training.precision: float32, or look at those clips; "
                        "the checkpoints from before this step are kept",
                    )
            self._losses.append(loss)
            self._gradient_norm = gradient_norm

    def _log(self, log: MetricsLog, done: int, clips_per_second: float) -> None:
        mean = sum(self._losses) / len(self._losses)
        self._losses.clear()
        row = {
            "step": done,
            "loss": mean,
            "gradient_norm": self._gradient_norm,
            "learning_rate": learning_rate(self.job.settings, done - 1),
            "clips_per_second": round(clips_per_second, 2),
            "time": round(time.time(), 2),
        }
        log.write(row)
        if self.observer is not None:
            self.observer(done, row)
        self.progress.update(done, loss=f"{mean:.4f}", speed=f"{clips_per_second:.0f} clips/s")

    def _due(self, done: int) -> bool:
        evaluation = self.evaluation
        return evaluation is not None and (done % evaluation.every == 0 or done == self.job.settings.steps)

    def _evaluated(self, done: int) -> bool:
        """Whether the log has what is measured after step `done`, if anything is."""
        rows = read_metrics(self.folder / "metrics.jsonl") if self._due(done) else []
        return not self._due(done) or any(row["step"] == done and EVALUATED in row for row in rows)

    def _evaluate(self, done: int, log: MetricsLog) -> None:
        evaluation = self.evaluation
        if evaluation is None:
            return
        row = self._figures(evaluation, self.average.model, done)
        figures = {name.removeprefix(FIGURE): value for name, value in row.items() if name.startswith(FIGURE)}
        best = keep_if_best(self.folder / "checkpoints", done, self.average.model, evaluation, figures)
        log.write(row)
        if self.observer is not None:
            self.observer(done, row)
        text = ", ".join(f"{name} {value:.4g}" for name, value in figures.items()) or "no figures"
        self.progress.finish()
        self.progress.say(f"after step {done}: {text}{' (the best so far)' if best else ''}")
        self.progress.start("train", self.job.settings.steps, done)

    @staticmethod
    def _figures(evaluation: PeriodicEvaluation, average: DiffusionModel, step: int) -> dict[str, float]:
        """What is measured of the average after `step`, as a row of the log."""
        began = time.perf_counter()
        row = {"step": step, **{f"{FIGURE}{name}": value for name, value in evaluation.measure(average, step).items()}}
        return row | {EVALUATED: round(time.perf_counter() - began, 2), "time": round(time.time(), 2)}

    def _choose_anew(self) -> None:
        """Where the best was chosen by figures that do not compare with those to come: choose of what is left."""
        evaluation, checkpoints = self.evaluation, self.folder / "checkpoints"
        left = None if evaluation is None else leftovers(checkpoints, evaluation, self._due)
        if evaluation is None or left is None:
            return
        steps = ", ".join(str(one.step) for one in left.weights)
        self.progress.say(
            f"note: the best weights were chosen with another {', '.join(left.differences)}, and the figures do not "
            f"compare. The best is chosen anew, of the weights that are left: those after step {steps}"
        )
        average, rows = copy.deepcopy(self.average.model), []
        for one in left.weights:
            load_average(one, average)
            rows.append(self._figures(evaluation, average, one.step))
        supersede_figures(self.folder / "metrics.jsonl", rows)
        wanted = f"{FIGURE}{evaluation.best_by}"
        step = left.choose(
            checkpoints, average, evaluation, {int(row["step"]): row[wanted] for row in rows if wanted in row}
        )
        if step is None:
            self.progress.say(
                f"note: {evaluation.best_by} could be measured of none of them: the best until then stays"
            )
        else:
            self.progress.say(f"the best of them: after step {step}")

    def _save(self, done: int) -> None:
        save_checkpoint(
            self.folder / "checkpoints",
            done,
            self.model,
            self.average.model,
            self.optimizer,
            log={"losses": self._losses, "gradient_norm": self._gradient_norm},
            keep=self.job.settings.keep_checkpoints,
        )

"""The stage `evaluate` of a run, and the same measurements while it trains."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

import genaudio
from genaudio.core.errors import GenaudioError, Interrupted, RunError
from genaudio.core.files import write_json
from genaudio.core.progress import Progress
from genaudio.core.seeds import derive_seed
from genaudio.datasets.cache import default_cache
from genaudio.evaluation.clip_set import ClipSet
from genaudio.runs.blocks import SAMPLER_KINDS, describe
from genaudio.runs.evaluation.evaluator import FORMAT, EvaluationRequest, Evaluator
from genaudio.runs.evaluation.figure_facts import figure_facts
from genaudio.runs.evaluation.recipe import EvaluationParts, best_by, evaluation_parts, metrics_of, without_draws
from genaudio.runs.recipe_sampling import sampling_labels
from genaudio.training.best import PeriodicEvaluation
from genaudio.training.model import DiffusionModel

if TYPE_CHECKING:
    from genaudio.runs.model import Model
    from genaudio.runs.pipeline import RunContext


def evaluate(context: RunContext) -> dict[str, object]:
    """Measure the run's samples with the recipe's metrics; what cannot be measured is noted, and ends no run."""
    recipe, files = context.recipe, context.directory
    results: dict[str, Any] = {"format": FORMAT, "genaudio": genaudio.__version__, "metrics": [], "notes": []}
    if metrics_of(recipe):
        parts = evaluation_parts(context)
        try:
            results = _evaluator(parts, ClipSet.of_folder(files.samples), context, required=False).results()
        except Interrupted:
            raise  # a stage that was stopped is not done
        except GenaudioError as error:
            results["notes"] = [f"{problem.path or 'nothing'}: {problem.given}" for problem in error.problems]
        results["notes"] = [*parts.notes, *results["notes"]]
    write_json(files.evaluation / "results.json", results)
    return {"metrics": {entry["name"]: entry["value"] for entry in results["metrics"]}}


def periodic_evaluation(context: RunContext, model: Model) -> PeriodicEvaluation | None:
    """What to measure while training, as the recipe says; None where it says nothing.

    `model` is what is trained, for all but its weights. Each time the same items are sampled, with the recipe's
    sampler, and measured without bootstrap draws. What cannot be measured, or is no finite number, is said and left
    out: it ends no training.
    """
    recipe = context.recipe
    settings = recipe.evaluation
    if settings.every is None:
        return None
    name = best_by(recipe)
    parts = evaluation_parts(context)
    plan = model.plan()
    labels = sampling_labels(recipe, model.classes if model.conditional else ())
    wanted = [label for label in labels for _ in range(settings.clips_per_class)]
    quick = replace(parts, metrics={key: without_draws(metric) for key, metric in parts.metrics.items()})
    seed = derive_seed(recipe.seed, "evaluation")

    def figures(weights: DiffusionModel, step: int) -> dict[str, float]:
        averaged = replace(model, weights=weights)
        context.progress.start(f"sample after step {step}", len(wanted), unit="clips")
        clips = list(
            averaged.stream(plan, range(len(wanted)), wanted, seed, batch_size=1, on_step=context.progress.update)
        )
        context.progress.finish()
        waveforms = torch.cat(clips)
        if not bool(waveforms.isfinite().all()):
            raise RunError("the sampled clips are not finite", expected="finite samples")
        generated = ClipSet.of_waveforms(waveforms, model.sample_rate, wanted, source=f"step {step}")
        evaluator = _evaluator(quick, generated, context, required=False, quiet=True)
        values = {entry["name"]: entry["value"] for entry in evaluator.results()["metrics"]}
        lost = [*evaluator.left_out, *(f"{name} is no finite number" for name in values if values[name] is None)]
        for note in lost:
            context.progress.say(f"note: after step {step}, {note}")
        return {name: value for name, value in values.items() if value is not None}

    def measure(weights: DiffusionModel, step: int) -> dict[str, float]:
        try:
            return figures(weights, step)
        except Interrupted:
            raise
        except GenaudioError as error:  # which an evaluation after training may not meet, and no reason to end it
            context.progress.finish()
            for problem in error.problems:
                of = f"{problem.path}: " if problem.path else ""
                context.progress.say(f"note: after step {step}, nothing is measured: {of}{problem.given}")
            return {}

    sampled = {
        **{kind: describe(kind, model.components[kind]) for kind in SAMPLER_KINDS},
        "num_steps": plan.num_steps,
        "labels": wanted,
        "seed": seed,
    }
    measured_by = figure_facts(quick, quick.metrics[name]) | {"sampler": sampled}
    return PeriodicEvaluation(settings.every, measure, name, parts.metrics[name].better, measured_by)


def _evaluator(
    parts: EvaluationParts, generated: ClipSet, context: RunContext, *, required: bool, quiet: bool = False
) -> Evaluator:
    request = EvaluationRequest(
        generated=generated,
        reference=parts.reference,
        metrics=parts.metrics,
        embedding=parts.embedding,
        required=required,
        reference_name=parts.reference_name,
    )
    progress = Progress() if quiet else context.progress
    return Evaluator(request, device=context.recipe.device, cache=default_cache(), progress=progress)

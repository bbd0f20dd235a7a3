"""What each stage of a run does: here the check before them all, training and sampling; elsewhere the others."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from genaudio.plugins.manager import notify
from genaudio.runs.audit.stage import audit, check_screen, run_screen
from genaudio.runs.evaluation.checks import check_evaluation
from genaudio.runs.evaluation.recipe import choice_of
from genaudio.runs.evaluation.stage import evaluate, periodic_evaluation
from genaudio.runs.guidance import check_memories, check_weak_model, weak_paths
from genaudio.runs.model import AudioFormat, Model, load, load_weak, pack
from genaudio.runs.recipe_sampling import check_sampler, guidance_of, sampling_labels, sampling_plan
from genaudio.runs.report_stage import report
from genaudio.runs.samples import SampleRequest, write_samples
from genaudio.runs.tuned import is_open
from genaudio.training.best import best_of
from genaudio.training.device import resolve_device
from genaudio.training.model import DiffusionModel, build_model
from genaudio.training.statistics import measure_sigma_data
from genaudio.training.trainer import Trainer, TrainingJob

__all__ = ["RUNNERS", "check", "choice_of"]

if TYPE_CHECKING:
    from genaudio.core.recipe import Recipe
    from genaudio.datasets.base import Clips
    from genaudio.networks.conditioners.base import Conditioner
    from genaudio.runs.pipeline import RunContext


def check(context: RunContext, *, training: bool, sampling: bool) -> None:
    """Raise what the stages would stumble over: device, dataset, labels, budget, levels, network's shape, metrics.

    `training` asks for what the metrics of evaluations to come need, which costs as much as one of them without its
    clips; `sampling` for what guidance reads from files, which may be made from this very run before it samples.
    """
    recipe = context.recipe
    resolve_device(recipe.device)
    clips = context.clips("train")
    conditioner = _conditioner(recipe, clips)
    sampling_labels(recipe, clips.classes if conditioner else ())
    check_sampler(recipe)
    if training and sampling and is_open(recipe.schedule):
        context.progress.say("note: schedule tuned: after training, `gen tune-schedule` has to come before samples")
    _untrained(recipe, clips)
    check_evaluation(context, training=training)
    if not sampling:
        return
    check_screen(context)
    audio = AudioFormat(clips.sample_rate, clips.channels, clips.length)
    guidance = guidance_of(recipe, conditional=conditioner is not None)
    check_memories(guidance, recipe.representation, audio)
    for path in weak_paths(guidance):
        weak = load_weak(path, "cpu")
        check_weak_model(path, weak, recipe.representation, audio, clips.classes, conditional=conditioner is not None)


def train(context: RunContext) -> dict[str, object]:
    """Train the model and export it; returns facts for the record of the run."""
    recipe, files = context.recipe, context.directory
    device = resolve_device(recipe.device)
    clips = context.clips("train")
    conditioner = _conditioner(recipe, clips)
    sigma_data = recipe.preconditioner.sigma_data
    if sigma_data == "auto":
        sigma_data = measure_sigma_data(clips, recipe.representation, recipe.seed)
    preconditioner = recipe.preconditioner.fitted(sigma_data)
    shape, model = _untrained(recipe, clips)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    context.progress.say(
        f"train: {parameters / 1e6:.2f} M parameters on {shape[0]}x{shape[1]}x{shape[2]}, "
        f"{'endless' if clips.size is None else clips.size} clips, {len(clips.classes)} classes, "
        f"sigma_data {sigma_data:.4f}, {device}"
    )
    job = TrainingJob(
        seed=recipe.seed,
        settings=recipe.training,
        model=model,
        clips=clips,
        representation=recipe.representation,
        preconditioner=preconditioner,
        noise=recipe.noise.fitted(sigma_data),
        label_dropout=conditioner.dropout if conditioner else 0.0,
        device=device,
    )
    components = {
        "representation": recipe.representation,
        "network": recipe.network,
        "conditioner": conditioner,
        "preconditioner": preconditioner,
        "schedule": recipe.schedule,
        "solver": recipe.solver,
        "guidance": guidance_of(recipe, conditional=conditioner is not None),
    }
    card = {
        "name": recipe.name,
        "step": recipe.training.steps,
        "precision": recipe.training.precision,
        "budget": {"nfe": recipe.sampling.nfe, "num_steps": recipe.sampling.num_steps},
    }
    audio = AudioFormat(clips.sample_rate, clips.channels, clips.length)
    whole = Model(model, pack(components), clips.classes, audio, device, card)
    trained = Trainer(
        job,
        files.path,
        progress=context.progress,
        observer=lambda step, row: notify("genaudio_step_end", step=step, metrics=row),
        evaluation=periodic_evaluation(context, whole),
    ).run()
    best = best_of(files.checkpoints) if recipe.evaluation.keep == "best" else None
    if best is not None:
        best.load(trained)
        context.progress.say(f"the model is that of step {best.step}, the best by {best.name}: {best.value:.4g}")
        whole = replace(whole, card={**card, "step": best.step})
    elif recipe.evaluation.keep == "best":
        context.progress.say("note: no evaluation found a figure to choose by: the model is that of the last step")
    replace(whole, weights=trained).save(files.model)
    kept = {} if best is None else {"kept": {"step": best.step, best.name: best.value}}
    return {
        "device": str(device),
        "parameters": parameters,
        "sigma_data": sigma_data,
        "clips": clips.size,
        "rejected": [vars(rejected) for rejected in clips.rejected],
        **kept,
    }


def _conditioner(recipe: Recipe, clips: Clips) -> Conditioner | None:
    return recipe.conditioner if clips.classes else None  # without classes there is nothing to condition on


def _untrained(recipe: Recipe, clips: Clips) -> tuple[tuple[int, int, int], DiffusionModel]:
    """The shape that the network sees, and the model with its initial weights."""
    shape = recipe.representation.shape(clips.length, clips.channels)
    conditioner = _conditioner(recipe, clips)
    return shape, build_model(recipe.network, conditioner, shape, len(clips.classes), recipe.seed)


def sample(context: RunContext) -> dict[str, object]:
    """Generate clips of every label with the sampler that the recipe names now."""
    recipe, files = context.recipe, context.directory
    model = load(files.path, recipe.device)
    settings = recipe.sampling
    schedule = model.own_schedule(recipe.schedule, recipe.solver)
    plan = sampling_plan(
        recipe,
        schedule,
        conditional=model.conditional,
        dimensions=math.prod(model.shape),
        sigma_data=model.sigma_data,
    )
    plan = replace(plan, weak=model.weak_models(plan.guidance))
    request = SampleRequest(
        labels=sampling_labels(recipe, model.classes if model.conditional else ()),
        clips_per_label=settings.clips_per_class,
        plan=plan,
        seed=recipe.seed if settings.seed is None else settings.seed,
        batch_size=settings.batch_size,
        format=settings.format,
        bit_depth=settings.bit_depth,
        screen=run_screen(context, settings.reject_copies) if settings.reject_copies else None,
    )
    manifest = write_samples(model, request, files.samples, context.progress)
    kept = ("num_steps", "evaluations", "network_evaluations", "silent_clips", "attenuated_clips")
    rejected = {"rejected": len(manifest["rejected"])} if "rejected" in manifest else {}
    return {key: manifest[key] for key in kept} | {"clips": len(manifest["clips"])} | rejected


RUNNERS: Mapping[str, Callable[[RunContext], dict[str, object]]] = {
    "train": train,
    "sample": sample,
    "evaluate": evaluate,
    "audit": audit,
    "report": report,
}

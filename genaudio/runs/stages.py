"""What each stage of a run does."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genaudio.core.errors import RunError
from genaudio.plugins.manager import notify
from genaudio.reports.data import ReportData, Sound
from genaudio.reports.page import write_report
from genaudio.runs.audit_stage import audit, audit_tables, read_audit, run_screen
from genaudio.runs.evaluation_stage import evaluate, periodic_evaluation, read_results
from genaudio.runs.evaluation_table import notes_of, report_table
from genaudio.runs.guidance import check_memories, check_weak_model, weak_paths
from genaudio.runs.model import AudioFormat, Model, load, load_weak, pack
from genaudio.runs.recipe_evaluation import check_evaluation
from genaudio.runs.recipe_sampling import guidance_of, sampling_labels, sampling_plan
from genaudio.runs.samples import SampleRequest, write_samples
from genaudio.runs.tuned import is_open
from genaudio.runs.versions import versions
from genaudio.training.best import best_of
from genaudio.training.device import resolve_device
from genaudio.training.log import read_metrics
from genaudio.training.model import DiffusionModel, build_model
from genaudio.training.statistics import measure_sigma_data
from genaudio.training.trainer import Trainer, TrainingJob

if TYPE_CHECKING:
    from genaudio.core.recipe import Recipe
    from genaudio.datasets.base import Clip, Clips
    from genaudio.networks.conditioners.base import Conditioner
    from genaudio.runs.pipeline import RunContext


def check(context: RunContext, *, sampling: bool) -> None:
    """Raise what training or sampling would stumble over: device, dataset, labels, budget, levels, network's shape.

    `sampling` asks for what guidance reads from files too, which may be made from this very run before it samples.
    """
    recipe = context.recipe
    resolve_device(recipe.device)
    clips = context.clips("train")
    conditioner = _conditioner(recipe, clips)
    sampling_labels(recipe, clips.classes if conditioner else ())
    plan = sampling_plan(recipe, recipe.schedule, conditional=conditioner is not None)
    if not is_open(plan.schedule):
        plan.schedule.sigmas(plan.num_steps, recipe.preconditioner.sigma_min, recipe.preconditioner.sigma_max)
    _untrained(recipe, clips)
    check_evaluation(context)
    if not sampling:
        return
    audio = AudioFormat(clips.sample_rate, clips.channels, clips.length)
    check_memories(plan.guidance, recipe.representation, audio)
    for path in weak_paths(plan.guidance):
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
    plan = sampling_plan(recipe, schedule, conditional=model.conditional, sigma_data=model.sigma_data)
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


def report(context: RunContext) -> dict[str, object]:
    """Write the page: listen, look, compare."""

    recipe, files = context.recipe, context.directory
    record = files.read()["stages"]
    manifest = _manifest(files.samples)
    clips = context.clips("train")
    shown = list(dict.fromkeys(clip["label"] for clip in manifest["clips"]))
    kept = shown[: recipe.report.max_classes]
    generated = _generated(context, manifest, kept)
    training = [
        Sound(label, clip.waveform.numpy(), clip.identity)
        for label, clip in training_clips(clips, kept, recipe.report.clips_per_class, recipe.seed)
    ]
    facts: dict[str, object] = {
        "dataset": recipe.type_name("dataset"),
        "classes": len(clips.classes),
        "training clips": "endless" if clips.size is None else clips.size,
        "format": f"{clips.sample_rate} Hz, {clips.channels} channel(s), {clips.length / clips.sample_rate:g} s",
        "network": f"{recipe.type_name('network')}, {record['train']['parameters'] / 1e6:.2f} M parameters",
        "training": f"{recipe.training.steps} steps of {recipe.training.batch_size} clips",
        "device": record["train"]["device"],
        "sigma_data": f"{record['train']['sigma_data']:.4f}",
    }
    sampling: dict[str, object] = {
        "solver": _spelled(manifest["solver"]),
        "schedule": _spelled(manifest["schedule"]),
        "guidance": _spelled(manifest["guidance"]) if manifest["guidance"] else "none",
        "steps": manifest["num_steps"],
        "evaluations": manifest["evaluations"],
        "network evaluations": manifest.get("network_evaluations", "not counted"),
        "seed": manifest["seed"],
        "clips": len(manifest["clips"]),
        "seconds a clip": manifest["seconds_per_clip"] or "made in an earlier try",
    }
    results = read_results(files.evaluation / "results.json")
    found = read_audit(files.audit / "audit.json")
    notes = [f"evaluation: {note}" for note in notes_of(results)]
    notes += [f"audit: {note}" for note in found["statistics"]["notes"]]
    if clips.rejected:
        names = ", ".join(f"{r.identity} ({r.reason})" for r in clips.rejected[:10])
        notes.append(f"{len(clips.rejected)} files were left out of training: {names}")
    if manifest["silent_clips"]:
        notes.append(f"{manifest['silent_clips']} generated clips are silent (RMS below -60 dBFS)")
    if manifest["attenuated_clips"]:
        notes.append(f"{manifest['attenuated_clips']} generated clips peaked above full scale and were turned down")
    if len(shown) > len(kept):
        notes.append(f"{len(shown) - len(kept)} further classes are in samples/ and not shown (report.max_classes)")
    write_report(
        files.report,
        ReportData(
            name=recipe.name,
            sample_rate=clips.sample_rate,
            generated=generated,
            training=training,
            metrics=read_metrics(files.metrics),
            recipe_yaml=files.recipe.read_text(encoding="utf-8"),
            facts=facts,
            sampling=sampling,
            versions=versions(),
            tables=[*([report_table(results)] if results["metrics"] else []), *audit_tables(found)],
            timings={stage: done["seconds"] for stage, done in record.items()},
            notes=notes,
        ),
    )
    return {}


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / "manifest.json"
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from error
    return manifest


def _damaged(path: Path, error: Exception) -> RunError:
    return RunError(
        f"{path} cannot be read: {error}",
        expected="the samples as they were written",
        mend="make them again with --only sample --force, then the report",
    )


def _generated(context: RunContext, manifest: dict[str, Any], labels: list[str | None]) -> list[Sound]:
    import soundfile

    sounds = []
    for label in labels:
        entries = [clip for clip in manifest["clips"] if clip["label"] == label]
        for entry in entries[: context.recipe.report.clips_per_class]:
            path = context.directory.samples / entry["file"]
            try:
                data, _ = soundfile.read(path, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError as error:
                raise _damaged(path, error) from error
            turned_down = f", {entry['gain_db']:.1f} dB" if entry["gain_db"] < 0 else ""
            sounds.append(Sound(label, data.T, entry["file"] + turned_down))
    return sounds


def training_clips(clips: Clips, labels: list[str | None], count: int, seed: int) -> list[tuple[str | None, Clip]]:
    """`count` training clips of each label: the first that are met on a seeded walk, so that they are not all alike."""
    from genaudio.training.batches import Batches

    wanted = dict.fromkeys(labels, count)
    found: list[tuple[str | None, Clip]] = []
    walk = Batches(clips, 1, seed)
    for position in range(clips.size if clips.size is not None else 100 * len(labels) * count):
        if not any(wanted.values()):
            break
        clip = clips.clip(walk.index(position), seed)
        label = clips.classes[clip.label] if clip.label is not None and None not in wanted else None
        if wanted.get(label, 0):
            wanted[label] -= 1
            found.append((label, clip))
    return sorted(found, key=lambda pair: labels.index(pair[0]))


def _spelled(component: dict[str, Any] | list[dict[str, Any]]) -> str:
    if isinstance(component, list):
        return ", then ".join(map(_spelled, component))
    fields = ", ".join(f"{key} {value}" for key, value in component.items() if key != "type")
    return f"{component['type']} ({fields})" if fields else str(component["type"])


RUNNERS: Mapping[str, Callable[[RunContext], dict[str, object]]] = {
    "train": train,
    "sample": sample,
    "evaluate": evaluate,
    "audit": audit,
    "report": report,
}

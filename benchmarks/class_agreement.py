"""Class agreement of a run: does a classifier of the real clips hear in each generated clip the class it was asked for?

    python benchmarks/class_agreement.py RUN_DIR [--steps N] [--samples DIR] [--classifier DIR] [--json FILE]

Trains `genaudio.evaluation.classifier` on the run's training split, measures it on held-out real clips (the ceiling
that its own mistakes set), then on the run's generated clips. Every rate comes with Wilson's 95% interval and the
chance level. `--classifier DIR` keeps the classifier there and takes it from there the next time: one directory a
dataset.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

import genaudio
from genaudio.core.errors import DataError, GenaudioError, RunError
from genaudio.core.files import write_json
from genaudio.datasets.base import Clips, Dataset
from genaudio.evaluation.agreement import Agreement
from genaudio.evaluation.classifier import Classifier, agreement
from genaudio.evaluation.classifier_training import train_classifier


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    try:
        result = measure(options)
    except GenaudioError as error:
        print(error, file=sys.stderr)
        return 1
    print(table(result))
    if options.json:
        write_json(options.json, result)
    return 0


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """The classifier's agreement with held-out real clips and with the run's generated ones, as plain numbers."""
    recipe_path = options.run / "recipe.yaml"
    if not recipe_path.is_file():
        raise RunError(f"{recipe_path} is not there", expected="a run directory, as `gen run` makes it")
    dataset = genaudio.load_recipe(recipe_path).dataset
    samples = options.samples or options.run / "samples"
    manifest = _manifest(samples)  # before the training: a missing file should not cost minutes
    classifier, training = _classifier(dataset, options)
    held_out, split = _held_out(dataset)
    real = agreement(classifier, held_out, count=options.count)
    generated = generated_agreement(classifier, samples, manifest)
    return {
        "run": options.run.resolve().name,
        "classifier": training,
        "real": {"split": split, **real.as_json()},
        "generated": generated.as_json(),
    }


def generated_agreement(classifier: Classifier, folder: Path, manifest: dict[str, Any]) -> Agreement:
    """Predicted against asked-for classes of the labelled clips in a manifest."""
    if manifest["sample_rate"] != classifier.sample_rate:
        raise RunError(
            f"the clips in {folder} are at {manifest['sample_rate']} Hz",
            expected=f"{classifier.sample_rate} Hz, the rate of the dataset",
        )
    labelled = [clip for clip in manifest["clips"] if clip["label"] is not None]
    if not labelled:
        raise RunError(
            f"none of the {len(manifest['clips'])} clips in {folder} has a label",
            expected="clips that were asked for by class",
            mend="sample with labels, from a model that is conditioned on the class",
        )
    unknown = sorted({clip["label"] for clip in labelled} - set(classifier.classes))
    if unknown:
        raise RunError(f"clips of the class {', '.join(unknown)}", expected=f"of {', '.join(classifier.classes)}")
    wanted = [classifier.classes.index(clip["label"]) for clip in labelled]
    predicted = [
        int(classifier.log_probabilities(_read(folder / clip["file"], classifier.sample_rate)).argmax())
        for clip in labelled
    ]
    return Agreement.of(classifier.classes, np.array(wanted), np.array(predicted))


def table(result: dict[str, Any]) -> str:
    """The result as text: one line a class, real beside generated."""
    names = result["real"]["classes"]
    width = max(len(name) for name in (*names, "overall"))
    lines = [f"{'class':{width}}  {'real (' + result['real']['split'] + ')':>32}  {'generated':>32}"]
    real, generated = result["real"]["by_class"], result["generated"]["by_class"]
    lines += [f"{name:{width}}  {_text(real[name])}  {_text(generated[name])}" for name in names]
    lines.append(f"{'overall':{width}}  {_text(result['real']['overall'])}  {_text(result['generated']['overall'])}")
    lines.append(f"{'chance':{width}}  {100 * result['real']['chance']:.1f}%")
    facts = result["classifier"]
    lines.append(
        f"classifier: {facts['parameters']:,} parameters, {facts['steps']} steps, seed {facts['seed']}, "
        f"{facts['seconds']:.0f} s of training"
    )
    return "\n".join(lines)


def _text(rate: dict[str, Any]) -> str:
    if not rate["total"]:
        return f"{'none':>32}"
    low, high = rate["interval_95"]
    share = f"{100 * rate['value']:.1f}% of {rate['total']}"
    return f"{share:>16}  [{100 * low:5.1f}, {100 * high:5.1f}]"


def _classifier(dataset: Dataset, options: argparse.Namespace) -> tuple[Classifier, dict[str, Any]]:
    folder: Path | None = options.classifier
    if folder and (folder / "classifier.json").exists():
        classifier = Classifier.load(folder)
        facts = json.loads((folder / "classifier.json").read_text(encoding="utf-8"))["facts"]
        return classifier, facts
    began = time.perf_counter()
    classifier = train_classifier(
        dataset.open("train"), steps=options.steps, seed=options.seed, device=options.device, progress=_progress
    )
    facts = {
        "parameters": sum(value.numel() for value in classifier.parameters()),
        "steps": options.steps,
        "seed": options.seed,
        "seconds": round(time.perf_counter() - began, 1),
    }
    if folder:
        classifier.save(folder, **facts)
    return classifier, facts


def _held_out(dataset: Dataset) -> tuple[Clips, str]:
    try:
        return dataset.open("validation"), "validation"
    except DataError:
        return dataset.open("test"), "test"


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / "manifest.json"
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: {error}", expected="the manifest of generated clips", mend="sample first") from error
    return manifest


def _read(path: Path, sample_rate: int) -> torch.Tensor:
    """`(1, channels, time)`."""
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise RunError(f"{path}: {error}", expected="a sound file that the manifest names") from error
    if rate != sample_rate:
        raise RunError(f"{path} is at {rate} Hz", expected=f"{sample_rate} Hz, as its manifest says")
    return torch.from_numpy(samples.T.copy())[None]


def _progress(done: int, total: int) -> None:
    if done % 50 == 0 or done == total:
        print(f"classifier: step {done} of {total}", file=sys.stderr)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, metavar="RUN_DIR")
    parser.add_argument("--steps", type=int, default=800, help="training steps of the classifier (default 800)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=None, help="held-out real clips (default: all; 1000 if endless)")
    parser.add_argument("--samples", type=Path, help="folder of generated clips (default: RUN_DIR/samples)")
    parser.add_argument("--classifier", type=Path, help="folder to keep the classifier in, or to take it from")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path, help="write everything measured, confusion included, to this file")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())

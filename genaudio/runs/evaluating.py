"""Generated clips on disk, measured beside real ones: from paths and words to results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from genaudio.core.errors import Interrupted, RunError
from genaudio.core.files import check_output, write_json
from genaudio.core.progress import Progress
from genaudio.datasets.base import Split
from genaudio.datasets.cache import default_cache
from genaudio.evaluation.clip_set import ClipSet
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.reference_statistics import SUFFIX, save_statistics
from genaudio.runs.evaluation_sources import chosen_embedding, chosen_metrics, open_reference
from genaudio.runs.evaluator import EvaluationRequest, Evaluator


def evaluate(
    generated: Path,
    reference: Path | None = None,
    *,
    metrics: Sequence[str] = (),
    embedding: str | None = None,
    split: Split | None = None,
    json_file: Path | None = None,
    save_reference: Path | None = None,
    device: str = "auto",
    cache: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """What `gen evaluate` does: the results of the clips that the paths stand for, written to `json_file` too.

    Metrics and embedding are words as on the command line. Features are kept below `cache`, or the folder that
    `default_cache` names. Raises `GenaudioError` for whatever its user can mend, `Interrupted` after Ctrl-C.
    """
    _check_outputs(json_file, save_reference)
    cache, progress = cache or default_cache(), progress or Progress()
    clips = ClipSet.of_folder(generated)
    chosen = chosen_metrics(metrics)
    try:
        real = None if reference is None else open_reference(reference, split=split, cache=cache, progress=progress)
        request = EvaluationRequest(
            generated=clips,
            reference=real,
            metrics=chosen,
            embedding=chosen_embedding(embedding, clips, real),
            embedding_chosen=embedding is not None,
            required=bool(metrics),
            reference_name=str(reference) if isinstance(real, FeatureSet) else "",
        )
        evaluator = Evaluator(request, device=device, cache=cache, progress=progress)
        results = evaluator.results()
        if save_reference is not None:
            save_statistics(save_reference, evaluator.reference_features())
    except KeyboardInterrupt:
        raise Interrupted("stopped; the features of the clips that were heard are kept", mend="give it again") from None
    if json_file is not None:
        write_json(json_file, results)
    return results


def _check_outputs(json_file: Path | None, statistics: Path | None) -> None:
    """Raise `RunError` for a file that could not be written, before the work that it is for."""
    for option, path in (("--json", json_file), ("--save-reference", statistics)):
        check_output(option, path)
    if statistics is not None and statistics.suffix != SUFFIX:
        raise RunError(f"--save-reference {statistics}", expected=f"a file {statistics.stem}{SUFFIX}")

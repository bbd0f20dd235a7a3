"""What must hold between the blocks of a recipe, and can be seen without building anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from genaudio.core.errors import GenaudioError, Problem
from genaudio.core.registry import suggestion

Blocks = Mapping[str, Any]  # the blocks that are valid by themselves; one that is null is there, as None
Check = Callable[[Blocks], Iterator[Problem]]


def cross_block_problems(blocks: Blocks) -> list[Problem]:
    """Everything that is wrong between blocks; a check whose blocks are not all there is passed over."""
    return [problem for check in CHECKS for problem in check(blocks)]


def guidance_needs_condition(blocks: Blocks) -> Iterator[Problem]:
    """Guidance that compares with and without a condition must have one."""
    if "conditioner" in blocks and blocks["conditioner"] is None:
        for path, guidance in _guidance(blocks):
            if "null" in guidance.uses:
                yield Problem(
                    "guidance, while conditioner is null",
                    "a conditioner for guidance to steer by",
                    "remove guidance, or set a conditioner such as label",
                    path,
                )


def guidance_needs_dropout(blocks: Blocks) -> Iterator[Problem]:
    """A model whose condition was never dropped in training has no unconditional estimate to compare with."""
    compares = any("null" in guidance.uses for _, guidance in _guidance(blocks))
    if compares and getattr(blocks.get("conditioner"), "dropout", None) == 0:
        yield Problem(
            "0, while guidance is set",
            "a share above 0, so that the model learns the unconditional estimate too",
            "set conditioner.dropout to 0.1, or remove guidance",
            "conditioner.dropout",
        )


def guidance_has_something_to_act_on(blocks: Blocks) -> Iterator[Problem]:
    """What acts on other guidance stands behind some."""
    for path, guidance in _guidance(blocks)[:1]:
        if guidance.follows:
            yield Problem(
                "no guidance before it",
                "guidance for this one to act on",
                "list it after that: guidance: [{type: cfg, scale: 2}, …]",
                path,
            )


def _guidance(blocks: Blocks) -> list[tuple[str, Any]]:
    """Each guidance with its path."""
    block = blocks.get("guidance")
    if isinstance(block, tuple):
        return [(f"guidance.{index}", guidance) for index, guidance in enumerate(block)]
    return [] if block is None else [("guidance", block)]


def labels_need_condition(blocks: Blocks) -> Iterator[Problem]:
    """Labels can be asked for only if the model is conditioned on them."""
    labels = getattr(blocks.get("sampling"), "labels", None)
    if labels is not None and "conditioner" in blocks and blocks["conditioner"] is None:
        yield Problem(
            "labels, while conditioner is null",
            "null, as the model has no condition",
            "remove sampling.labels, or set a conditioner such as label",
            "sampling.labels",
        )


def labels_are_distinct(blocks: Blocks) -> Iterator[Problem]:
    """A label given twice would be sampled twice into the same files."""
    labels = getattr(blocks.get("sampling"), "labels", None) or ()
    repeated = sorted({label for label in labels if labels.count(label) > 1})
    if repeated:
        yield Problem(f"{', '.join(map(repr, repeated))} more than once", "each label once", path="sampling.labels")


def labels_are_classes(blocks: Blocks) -> Iterator[Problem]:
    """A dataset whose classes are a field of the recipe has those and no others."""
    classes = getattr(blocks.get("dataset"), "classes", None)
    if isinstance(classes, tuple):
        for label in getattr(blocks.get("sampling"), "labels", None) or ():
            if label not in classes:
                expected = f"some of {', '.join(map(str, classes))}"
                yield Problem(repr(label), expected, suggestion(label, classes), "sampling.labels")


def network_takes_shape(blocks: Blocks) -> Iterator[Problem]:
    """The representation of a clip has a shape that the network can take."""
    dataset, representation, network = (blocks.get(kind) for kind in ("dataset", "representation", "network"))
    if dataset is None or representation is None or network is None:
        return
    try:
        network.check(representation.shape(dataset.length, dataset.channels))
    except GenaudioError as error:
        for problem in error.problems:
            yield replace(problem, path="representation")


def sigmas_are_a_range(blocks: Blocks) -> Iterator[Problem]:
    """The lowest noise level of sampling lies below the highest."""
    preconditioner = blocks.get("preconditioner")
    low, high = getattr(preconditioner, "sigma_min", None), getattr(preconditioner, "sigma_max", None)
    if isinstance(low, float | int) and isinstance(high, float | int) and low >= high:
        yield Problem(f"{low:g}, with sigma_max {high:g}", "sigma_min below sigma_max", path="preconditioner.sigma_min")


CHECKS: tuple[Check, ...] = (
    guidance_needs_condition,
    guidance_needs_dropout,
    guidance_has_something_to_act_on,
    labels_need_condition,
    labels_are_distinct,
    labels_are_classes,
    network_takes_shape,
    sigmas_are_a_range,
)

"""What a reader of an evaluation must know: where the two sets of clips differ in more than how they sound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from genaudio.core.wording import listed
from genaudio.evaluation.label_spelling import nothing_in_common

_LENGTHS_DIFFER = 0.05  # relative difference of mean lengths that is worth a word
_FEW = 3  # classes that a note names


def notes_on(
    generated_classes: Sequence[str],
    reference_classes: Sequence[str],
    generated: Mapping[str, Any] | None,
    reference: Mapping[str, Any] | None,
) -> list[str]:
    """Notes on two sets by their cards: rates, lengths, silence, classes. Cards may lack facts, or be None."""
    notes = []
    for name, card in (("generated", generated), ("reference", reference)):
        if card and card.get("silent_clips"):
            notes.append(f"{card['silent_clips']} of the {card['clips']} {name} clips are silent (peak below -60 dBFS)")
    if generated and reference:
        notes += _on_rates(generated, reference) + _on_lengths(generated, reference)
        if generated.get("embedding") == "mel_statistics":
            notes.append(
                "mel_statistics hears timbre and level alone: it tells one sampler of a model from another, and is too "
                "little to rank models by"
            )
    if strangers := nothing_in_common(generated_classes, reference_classes, "reference"):
        notes.append(f"{strangers}. What is measured over all clips holds; a metric by class has nothing to compare")
    elif generated_classes and reference_classes:
        pair = (set(generated_classes), set(reference_classes))
        for these, others, text in ((*pair, "generated only"), (*pair[::-1], "in the reference only")):
            if lone := sorted(these - others):
                verb = "class is" if len(lone) == 1 else "classes are"
                notes.append(f"{len(lone)} {verb} {text}: {listed(lone, _FEW)}")
    return notes


def _on_rates(generated: Mapping[str, Any], reference: Mapping[str, Any]) -> list[str]:
    """What one set has no room for above half of its rate, and the other has, is a distance by itself."""
    rates = [sorted(int(rate) for rate in card.get("sample_rates") or ()) for card in (generated, reference)]
    heard = generated.get("embedding_sample_rate")
    if not all(rates) or not isinstance(heard, int):
        return []
    lowest = [min(rate, heard) for rate in (rates[0][0], rates[1][0])]
    highest = [min(rate, heard) for rate in (rates[0][-1], rates[1][-1])]
    if len({*lowest, *highest}) == 1:
        return []
    ours, theirs = (", ".join(map(str, some)) for some in rates)
    return [
        f"generated clips are at {ours} Hz, the reference at {theirs} Hz, and the embedding hears up to "
        f"{heard // 2} Hz: what one set cannot hold counts as a difference"
    ]


def _on_lengths(generated: Mapping[str, Any], reference: Mapping[str, Any]) -> list[str]:
    if not (generated.get("seconds") and reference.get("seconds")):
        return []
    ours, theirs = generated["seconds"]["mean"], reference["seconds"]["mean"]
    if abs(ours - theirs) <= _LENGTHS_DIFFER * max(ours, theirs):
        return []
    return [f"generated clips last {ours:.2f} s in the mean, those of the reference {theirs:.2f} s"]

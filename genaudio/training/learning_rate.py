"""The learning rate as a function of the step."""

from __future__ import annotations

import math

from genaudio.core.settings import TrainingSettings


def learning_rate(settings: TrainingSettings, step: int) -> float:
    """The rate of step `step`, counted from 0: a linear rise over the warm-up, then constant or half a cosine to 0."""
    rise = min(1.0, (step + 1) / (settings.warmup_steps + 1))
    if settings.decay == "constant" or step < settings.warmup_steps:
        return settings.learning_rate * rise
    remaining = max(1, settings.steps - settings.warmup_steps)
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - settings.warmup_steps) / remaining))

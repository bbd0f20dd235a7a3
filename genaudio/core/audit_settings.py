"""The parameters of the copy audit."""

from __future__ import annotations

import re

from pydantic import field_validator, model_validator

from genaudio.core.component import Settings, parameter


class AuditSettings(Settings):
    """How generated clips are compared with training clips, and how often a real clip may be called a copy."""

    enabled: bool = parameter(True, description="Whether a run is audited")
    false_alarm_rate: float = parameter(
        0.01, gt=0, le=0.5, description="Share of real clips from outside the training set that may be called copies"
    )
    matches: int = parameter(10, ge=1, le=1000, description="Nearest training clips listed for each generated clip")
    use_labels: bool = parameter(
        True, description="A threshold for each class where generated and calibration clips have labels; else one"
    )
    group_pattern: str | None = parameter(
        None,
        description="Regular expression whose group 1, searched in a training clip's name, says which recording it is "
        "of; clips of one recording are not compared when training clips calibrate each other; null: not known",
    )
    sample_rate: int = parameter(16000, ge=4000, le=96000, description="Rate that clips are compared at", unit="Hz")
    bands: int = parameter(40, ge=8, le=256, description="Mel bands from 0 Hz to half of the rate")
    window: float = parameter(0.032, gt=0, le=1, description="Length of the Hann window of a frame", unit="s")
    hop: float = parameter(0.0125, gt=0, le=1, description="Time between frames, and between patches", unit="s")
    patch: float = parameter(
        0.125, gt=0, le=10, description="Length of a patch, the stretch of sound that is looked up", unit="s"
    )
    dynamic_range: float = parameter(
        50.0, gt=0, le=120, description="Levels further below the loudest cell of a patch count as that far", unit="dB"
    )
    silence: float = parameter(
        50.0, gt=0, le=120, description="Patches further below the clip's loudest frame match nothing", unit="dB"
    )
    quiet: float = parameter(
        30.0,
        gt=0,
        le=120,
        description="Patches further below the clip's loudest frame are quiet, maybe noise",
        unit="dB",
    )
    quietest: float = parameter(-75.0, lt=0, ge=-120, description="Patches below this level match nothing", unit="dB")
    components: int = parameter(96, ge=2, le=1024, description="Dimensions of a whitened patch")
    likeness: float = parameter(
        0.5, gt=0, lt=1, description="Cosine of two patches above which they speak for a copy, below which against it"
    )
    evidence: float = parameter(
        0.6,
        gt=0,
        lt=1,
        description="Mean cosine of a stretch from which on it counts as copied; a clip without such a stretch is new",
    )
    alignment_weight: float = parameter(
        0.6, ge=0, description="What e times the usual length of an aligned stretch adds to the score, in coverage"
    )
    embedding_weight: float = parameter(
        0.2, ge=0, description="What a cosine of 1 of the embedding, if there is one, adds to the score"
    )
    candidates: int = parameter(
        12, ge=1, le=1000, description="Training clips aligned with a generated clip: so many of each ranking"
    )
    local_window: float = parameter(
        0.75, gt=0, description="Stretch whose coverage alone makes a training clip a candidate", unit="s"
    )
    calibration_clips: int = parameter(
        1000, ge=20, description="Clips, drawn at random if there are more, that thresholds are calibrated with"
    )
    whitening_clips: int = parameter(
        2000, ge=1, description="Training clips, drawn at random, that the whitening is computed from"
    )
    tail: float = parameter(
        0.2, ge=0.05, lt=1, description="Share of the calibration scores, the largest, that the tail is fitted to"
    )
    memory: int = parameter(
        512,
        ge=1,
        description="Bound on the working memory of the search, beside the training clips' patches",
        unit="MiB",
    )
    seed: int = parameter(
        0, ge=0, description="Seed of the draws of clips for whitening and calibration, and of the bootstrap"
    )

    @property
    def patch_frames(self) -> int:
        """Frames in a patch."""
        return max(1, round(self.patch / self.hop))

    @field_validator("group_pattern")
    @classmethod
    def _has_a_group(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                groups = re.compile(value).groups
            except re.error as error:
                raise ValueError(f"a regular expression: {error}") from error
            if groups < 1:
                raise ValueError("a group in parentheses that catches the name of the recording")
        return value

    @model_validator(mode="after")
    def _rate_within_the_tail(self) -> AuditSettings:
        if self.false_alarm_rate > self.tail:
            raise ValueError("false_alarm_rate must not exceed tail: the threshold is read off the fitted tail")
        return self

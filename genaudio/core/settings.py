"""The blocks of a recipe that are not components: how to train, sample, evaluate and report."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from genaudio.core.component import Settings, Strings, parameter


class TrainingSettings(Settings):
    """How the model is trained."""

    steps: int = parameter(10000, ge=1, description="Optimiser steps")
    batch_size: int = parameter(16, ge=1, description="Clips in a step")
    learning_rate: float = parameter(2e-4, gt=0, description="Peak learning rate of AdamW")
    warmup_steps: int = parameter(100, ge=0, description="Steps over which the learning rate rises from 0")
    decay: Literal["constant", "cosine"] = parameter(
        "constant", description="Course of the learning rate after warm-up; cosine falls to 0 at the last step"
    )
    weight_decay: float = parameter(0.0, ge=0, description="Decoupled weight decay of AdamW")
    gradient_clip: float | None = parameter(1.0, gt=0, description="Largest gradient norm; null: no clipping")
    ema_decay: float = parameter(
        0.999, ge=0, lt=1, description="Decay a step of the moving average of the weights that sampling uses"
    )
    precision: Literal["auto", "float32", "bf16"] = parameter(
        "auto", description="Precision of the network's arithmetic; auto: bf16 where the device has it in hardware"
    )
    compile: bool = parameter(False, description="Compile the network with torch.compile")
    checkpoint_every: int = parameter(1000, ge=1, description="Steps between checkpoints")
    keep_checkpoints: int = parameter(2, ge=1, description="How many of the newest checkpoints stay")
    log_every: int = parameter(10, ge=1, description="Steps between lines of metrics.jsonl")
    workers: int = parameter(
        1, ge=0, le=64, description="Threads that prepare batches ahead; 0: in the training thread"
    )


class SamplingSettings(Settings):
    """How clips are generated from the trained model."""

    clips_per_class: int = parameter(8, ge=1, description="Clips for each label (in all, without labels)")
    labels: Strings | None = parameter(None, description="Labels to sample; null: every class")
    nfe: int | None = parameter(
        None, ge=1, description="Budget in evaluations of the denoiser; exclusive with num_steps"
    )
    num_steps: int | None = parameter(None, ge=1, description="Budget in solver steps; exclusive with nfe")
    seed: int | None = parameter(None, ge=0, description="Seed of the samples; null: the recipe's")
    batch_size: int = parameter(16, ge=1, description="Clips that are in memory together; never changes a sound")
    format: Literal["wav", "flac"] = parameter("wav", description="File format of the samples")
    bit_depth: Literal[16, 24] = parameter(16, description="Bits a sample of the files", unit="bit")
    reject_copies: int = parameter(
        0, ge=0, le=100, description="How often a clip that is a copy of a training clip is made anew; 0: never"
    )

    @model_validator(mode="after")
    def _one_budget(self) -> SamplingSettings:
        if self.nfe is not None and self.num_steps is not None:
            raise ValueError("give the budget as nfe or as num_steps, not both")
        return self


class EvaluationSettings(Settings):
    """What generated clips are measured against, and when."""

    reference: str = parameter(
        "train",
        min_length=1,
        description="The real clips: a split of the dataset (train, validation or test), a folder, or a file of "
        "reference statistics (`gen evaluate --save-reference`)",
    )
    reference_clips: int = parameter(
        1000, ge=2, description="Most clips of a split that are taken, drawn by the recipe's seed"
    )
    every: int | None = parameter(
        None, ge=1, description="Steps between evaluations while training; null: after training alone"
    )
    clips_per_class: int = parameter(
        8, ge=1, description="Clips for each class that an evaluation while training samples (in all, without labels)"
    )
    keep: Literal["last", "best"] = parameter(
        "last", description="Which weights become the model: the last ones, or the best of those evaluated in training"
    )
    best_by: str | None = parameter(
        None, description="Metric, by its type, that the best weights are chosen by; null: the first one"
    )

    @model_validator(mode="after")
    def _best_of_some(self) -> EvaluationSettings:
        if self.keep == "best" and self.every is None:
            raise ValueError("keep is best, but every is null: set every, so that there is something to choose from")
        return self


class ReportSettings(Settings):
    """What the report shows."""

    clips_per_class: int = parameter(3, ge=1, le=32, description="Generated and training clips shown for each class")
    max_classes: int = parameter(16, ge=1, description="Classes shown; more are counted only")

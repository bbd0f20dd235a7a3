"""The built-in components, registered through the same hook as anyone's. Names every one by string, imports none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genaudio.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from genaudio.core.registry import Registry

# kind, name, target (below `genaudio.`), summary
BUILTINS = (
    ("dataset", "procedural", "datasets.procedural:Procedural", "Labelled sounds synthesised from a seed; no files"),
    ("dataset", "folder", "datasets.folder:Folder", "A folder of audio files; sub-folders are classes"),
    ("dataset", "fsdd", "datasets.fsdd:FSDD", "Free Spoken Digit Dataset"),
    ("dataset", "esc10", "datasets.esc10:ESC10", "ESC-10 environmental sounds, split by fold and source"),
    ("dataset", "speech_commands", "datasets.speech_commands:SpeechCommands", "Speech Commands zero-nine (SC09)"),
    ("dataset", "dcase2023_task7", "datasets.dcase2023_task7:DCASE2023Task7", "DCASE 2023 Task 7 Foley sounds"),
    ("representation", "complex_stft", "representations.complex_stft:ComplexSTFT", "Power-compressed complex STFT"),
    ("representation", "waveform", "representations.waveform:Waveform", "The waveform itself, folded into a grid"),
    ("network", "efficient_unet", "networks.efficient_unet:EfficientUNet", "The Efficient U-Net of EDMSound"),
    ("conditioner", "label", "networks.conditioners.label:Label", "A learned vector for each class"),
    ("preconditioner", "edm", "preconditioners.edm:EDM", "EDM preconditioning (Karras et al. 2022)"),
    ("noise", "log_normal", "training.noise.log_normal:LogNormal", "ln(sigma) is Gaussian (EDM)"),
    ("schedule", "karras", "samplers.schedules.karras:Karras", "Uniform in sigma^(1/rho) (EDM)"),
    ("solver", "euler", "samplers.euler:Euler", "Euler's method, order 1 (equal to DDIM)"),
    ("solver", "heun", "samplers.heun:Heun", "Heun's method, order 2, with EDM's churn"),
    ("solver", "dpm", "samplers.dpm:DPM", "DPM-Solver++, multistep or singlestep, order 1-3"),
    (
        "solver",
        "exponential_integrator",
        "samplers.exponential_integrator:ExponentialIntegrator",
        "Exponential multistep integrator, order 1-4, coefficients integrated exactly",
    ),
    ("guidance", "cfg", "samplers.guidance.cfg:CFG", "Classifier-free guidance, one batched evaluation"),
    (
        "embedding",
        "mel_statistics",
        "evaluation.embeddings.mel_statistics:MelStatistics",
        "Means and deviations over time of log-mel bands; no weights",
    ),
    ("metric", "fad", "evaluation.metrics.fad:FAD", "Fréchet audio distance, with a bootstrap interval"),
)


@hookimpl
def genaudio_register(registry: Registry) -> None:
    """Register everything that genaudio itself provides."""
    for kind, name, target, summary in BUILTINS:
        registry.add(kind, name, f"genaudio.{target}", summary)

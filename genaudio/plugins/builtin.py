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
    ("preconditioner", "vp", "preconditioners.vp:VP", "Noise prediction on the variance-preserving SDE (DDPM++)"),
    ("preconditioner", "ve", "preconditioners.ve:VE", "Noise prediction on the variance-exploding SDE (NCSN++)"),
    ("preconditioner", "velocity", "preconditioners.velocity:Velocity", "v-prediction (Salimans and Ho 2022)"),
    ("preconditioner", "flow", "preconditioners.flow:Flow", "Rectified flow, conditional flow matching"),
    ("noise", "log_normal", "training.noise.log_normal:LogNormal", "ln(sigma) is Gaussian (EDM)"),
    ("noise", "log_uniform", "training.noise.log_uniform:LogUniform", "ln(sigma) is uniform (VE)"),
    ("noise", "vp", "training.noise.vp:VP", "Time of the variance-preserving SDE is uniform"),
    ("noise", "cosine", "training.noise.cosine:Cosine", "Time of the cosine schedule is uniform (v-prediction)"),
    ("noise", "flow", "training.noise.flow:Flow", "Flow time is uniform (rectified flow)"),
    ("noise", "logit_normal", "training.noise.logit_normal:LogitNormal", "Flow time is logit-normal (SD3)"),
    ("schedule", "karras", "samplers.schedules.karras:Karras", "Uniform in sigma^(1/rho) (EDM)"),
    ("schedule", "exponential", "samplers.schedules.exponential:Exponential", "Uniform in ln(sigma)"),
    (
        "schedule",
        "polynomial",
        "samplers.schedules.polynomial:Polynomial",
        "Uniform in a root of ln(sigma / sigma_min)",
    ),
    ("schedule", "cosine", "samplers.schedules.cosine:Cosine", "Uniform in the time of the cosine schedule"),
    ("schedule", "vp", "samplers.schedules.vp:VP", "Uniform in the time of the variance-preserving SDE"),
    ("schedule", "flow", "samplers.schedules.flow:Flow", "Uniform in flow time, with SD3's shift"),
    ("schedule", "sinh", "samplers.schedules.sinh:Sinh", "Dense in ln(sigma) around one level, sparse away from it"),
    ("schedule", "auto", "samplers.schedules.auto:Auto", "The schedule that measured best for the budget"),
    ("schedule", "explicit", "samplers.schedules.explicit:Explicit", "The levels that the recipe gives"),
    ("schedule", "tuned", "samplers.schedules.tuned:Tuned", "A grid optimised for the model (`gen tune-schedule`)"),
    ("solver", "euler", "samplers.euler:Euler", "Euler's method, order 1 (equal to DDIM)"),
    ("solver", "heun", "samplers.heun:Heun", "Heun's method, order 2, with EDM's churn"),
    ("solver", "runge_kutta", "samplers.runge_kutta:RungeKutta", "Classic Runge-Kutta methods, order 3 or 4"),
    (
        "solver",
        "runge_kutta_adaptive",
        "samplers.runge_kutta_adaptive:RungeKuttaAdaptive",
        "Dormand-Prince 5(4), steps chosen by a tolerance",
    ),
    ("solver", "lms", "samplers.lms:LMS", "Linear multistep (Adams-Bashforth) in sigma, order 1-4"),
    ("solver", "dpm", "samplers.dpm:DPM", "DPM-Solver++ or DPM-Solver, multistep or singlestep, order 1-3"),
    (
        "solver",
        "euler_ancestral",
        "samplers.euler_ancestral:EulerAncestral",
        "Euler's method with fresh noise in every step (DDPM's ancestral sampling)",
    ),
    ("solver", "dpm_sde", "samplers.dpm_sde:DPMSDE", "SDE-DPM-Solver++ multistep with fresh noise, order 1-3"),
    (
        "solver",
        "dpm_adaptive",
        "samplers.dpm_adaptive:DPMAdaptive",
        "DPM-Solver-12 or -23, steps chosen by a tolerance",
    ),
    (
        "solver",
        "exponential_integrator",
        "samplers.exponential_integrator:ExponentialIntegrator",
        "Exponential multistep integrator, predictor or predictor-corrector, order 1-5",
    ),
    ("solver", "ddim", "samplers.ddim:DDIM", "DDIM without noise, order 1"),
    ("solver", "deis", "samplers.deis:DEIS", "DEIS: t-AB, rho-AB or log-rho-AB, order 1-4"),
    ("solver", "unipc", "samplers.unipc:UniPC", "UniPC: predictor-corrector, order 2-4"),
    ("solver", "auto", "samplers.auto:Auto", "The solver that measured best for the budget"),
    ("guidance", "cfg", "samplers.guidance.cfg:CFG", "Classifier-free guidance, one batched evaluation"),
    ("guidance", "apg", "samplers.guidance.apg:APG", "Adaptive projected guidance: limited, projected, with momentum"),
    (
        "guidance",
        "autoguidance",
        "samplers.guidance.autoguidance:Autoguidance",
        "Away from a weaker model: an earlier checkpoint or a smaller network",
    ),
    (
        "guidance",
        "anti_memorization",
        "samplers.guidance.anti_memorization:AntiMemorization",
        "Away from the nearest training item where an estimate resembles it too much",
    ),
    ("guidance", "interval", "samplers.guidance.interval:Interval", "Guidance in a range of noise levels alone"),
    ("guidance", "rescale", "samplers.guidance.rescale:Rescale", "Brings the deviation back to the unguided one's"),
    (
        "embedding",
        "mel_statistics",
        "evaluation.embeddings.mel_statistics:MelStatistics",
        "Means and deviations over time of log-mel bands; no weights",
    ),
    (
        "embedding",
        "classifier",
        "evaluation.embeddings.classifier:ClassifierEmbedding",
        "A small classifier of the recipe's own classes (`gen train-classifier`)",
    ),
    ("embedding", "vggish", "evaluation.embeddings.vggish:VGGish", "VGGish, 128 dimensions a second (AudioSet)"),
    ("embedding", "panns", "evaluation.embeddings.panns:PANNs", "PANNs: CNN14 or WGLM, 2,048 dimensions, 527 classes"),
    ("embedding", "clap", "evaluation.embeddings.clap:CLAP", "LAION-CLAP: sound and text in one space"),
    ("embedding", "encodec", "evaluation.embeddings.encodec:EnCodec", "Latents of the neural codec EnCodec"),
    ("embedding", "wav2vec2", "evaluation.embeddings.wav2vec2:Wav2Vec2", "Hidden states of wav2vec 2.0 (speech)"),
    ("embedding", "hubert", "evaluation.embeddings.hubert:HuBERT", "Hidden states of HuBERT (speech)"),
    ("metric", "fad", "evaluation.metrics.fad:FAD", "Fréchet audio distance, overall or by class (DCASE 2023 Task 7)"),
    (
        "metric",
        "fad_infinity",
        "evaluation.metrics.fad_infinity:FADInfinity",
        "Fréchet audio distance without the bias of its counts",
    ),
    ("metric", "kad", "evaluation.metrics.kad:KAD", "Kernel audio distance, without bias"),
    ("metric", "fid", "evaluation.metrics.fid:FID", "Fréchet distance in a classifier's features (SC09)"),
    (
        "metric",
        "inception_score",
        "evaluation.metrics.inception_score:InceptionScore",
        "Certainty and evenness of classes",
    ),
    (
        "metric",
        "modified_inception_score",
        "evaluation.metrics.modified_inception_score:ModifiedInceptionScore",
        "Divergence of classes between clips, in closed form",
    ),
    (
        "metric",
        "am_score",
        "evaluation.metrics.am_score:AMScore",
        "Certainty of classes, and their shares as in training",
    ),
    ("metric", "kl", "evaluation.metrics.kl:KL", "Divergence of classes from real clips': by pair, class, or overall"),
    (
        "metric",
        "precision",
        "evaluation.metrics.precision:Precision",
        "Share of generated clips that lie among real ones",
    ),
    ("metric", "recall", "evaluation.metrics.recall:Recall", "Share of real clips that lie among generated ones"),
    ("metric", "density", "evaluation.metrics.density:Density", "How densely generated clips lie among real ones"),
    ("metric", "coverage", "evaluation.metrics.coverage:Coverage", "Share of real clips with a generated one nearby"),
    ("metric", "clap_score", "evaluation.metrics.clap_score:CLAPScore", "Cosine of clips and their text"),
)


@hookimpl
def genaudio_register(registry: Registry) -> None:
    """Register everything that genaudio itself provides."""
    for kind, name, target, summary in BUILTINS:
        registry.add(kind, name, f"genaudio.{target}", summary)

"""wav2vec 2.0 (Baevski et al. 2020, arXiv 2006.11477)."""

from __future__ import annotations

from typing import ClassVar

from genaudio.core.component import parameter
from genaudio.evaluation.embeddings.speech_encoder import SpeechEncoder


class Wav2Vec2(SpeechEncoder):
    """Hidden states of wav2vec 2.0, a row every 20 ms: what is said, and by what kind of voice, depending on the layer.

    Layers in the middle tell the most of speech; the last ones of a model that was tuned to write it down know little
    but letters. Weights: transformers' `Wav2Vec2Model`, or a larger model that holds one (`Wav2Vec2ForCTC`).
    """

    weights: str = parameter(
        "facebook/wav2vec2-base",
        description="Folder of a checkpoint, or name of a repository on the Hugging Face hub",
    )

    model_type: ClassVar[str] = "wav2vec2"
    model_class: ClassVar[str] = "Wav2Vec2Model"

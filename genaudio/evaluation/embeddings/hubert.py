"""HuBERT (Hsu et al. 2021, arXiv 2106.07447)."""

from __future__ import annotations

from typing import ClassVar

from genaudio.core.component import parameter
from genaudio.evaluation.embeddings.speech_encoder import SpeechEncoder


class HuBERT(SpeechEncoder):
    """Hidden states of HuBERT, a row every 20 ms: learned by predicting clusters of masked frames of speech.

    Weights: transformers' `HubertModel`, or a larger model that holds one (`HubertForCTC`).
    """

    weights: str = parameter(
        "facebook/hubert-base-ls960",
        description="Folder of a checkpoint, or name of a repository on the Hugging Face hub",
    )

    model_type: ClassVar[str] = "hubert"
    model_class: ClassVar[str] = "HubertModel"

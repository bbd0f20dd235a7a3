"""What embeddings share whose network is a checkpoint in the layout of the Hugging Face hub."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property

from torch import nn

from genaudio.core.component import parameter
from genaudio.evaluation.embeddings.base import Embedding
from genaudio.evaluation.embeddings.weights.huggingface import Checkpoint


class HubEmbedding(Embedding, ABC):
    """An embedding with the network of a checkpoint, which is found when it is first needed."""

    weights: str = parameter(description="Folder of a checkpoint, or name of a repository on the Hugging Face hub")
    revision: str | None = parameter(None, description="Branch, tag or commit of the repository; None: its main branch")

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of the weights' file, or of the files' hashes where they are several."""
        return self._checkpoint.sha256

    @cached_property
    def config_sha256(self) -> str:
        """SHA-256 of the names and hashes of the folder's settings, config.json first of all."""
        return self._checkpoint.config_sha256()

    @cached_property
    @abstractmethod
    def _checkpoint(self) -> Checkpoint:
        """The checkpoint that the fields name."""

    @cached_property
    def _model(self) -> nn.Module:
        return self._checkpoint.load()

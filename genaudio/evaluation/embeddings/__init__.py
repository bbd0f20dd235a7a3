"""Embeddings: features of a clip for metrics and the audit."""

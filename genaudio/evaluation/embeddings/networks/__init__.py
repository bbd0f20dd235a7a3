"""Networks that others trained, spelled so that the published weights fit: what embeddings hear with."""

"""Datasets: where the training clips come from."""

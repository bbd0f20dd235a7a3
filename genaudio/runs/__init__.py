"""Runs: their stages, their directory, and the model that comes out."""

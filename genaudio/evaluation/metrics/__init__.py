"""Metrics: generated features against reference features."""

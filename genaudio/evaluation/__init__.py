"""Evaluation: how generated clips compare with real ones."""

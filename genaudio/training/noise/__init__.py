"""Distributions of training noise levels."""

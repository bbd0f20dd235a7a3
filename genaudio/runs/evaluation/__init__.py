"""Evaluations: what is measured and beside what, the measuring itself, and its results for people."""

"""Weights that others trained: found or downloaded, read without running anything in them, and hashed."""

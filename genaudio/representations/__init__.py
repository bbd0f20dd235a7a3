"""Representations: what the model sees of a waveform, and the way back."""

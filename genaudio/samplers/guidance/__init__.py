"""Guidance: steers a denoiser towards its condition."""

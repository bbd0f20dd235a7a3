"""Preconditioners: what turns a raw network into the denoiser D(x; sigma)."""

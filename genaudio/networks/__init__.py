"""Networks: the neural networks inside the denoiser."""

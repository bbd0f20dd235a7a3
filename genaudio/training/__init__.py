"""Training: the loop, the loss, the moving average and the checkpoints."""

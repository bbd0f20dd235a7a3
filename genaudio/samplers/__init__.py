"""Solvers, schedules and guidance: from noise to a clip. They know nothing of networks, audio or training."""

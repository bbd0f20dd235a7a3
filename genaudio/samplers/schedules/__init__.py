"""Schedules: the noise levels that a solver visits."""

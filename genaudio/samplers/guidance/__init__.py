"""Guidance: steers the estimates that a solver follows."""

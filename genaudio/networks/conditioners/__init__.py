"""Conditioners: what a label becomes for the network."""

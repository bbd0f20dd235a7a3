"""Audits for copies: what is compared with what, the comparison itself, and its results for people."""

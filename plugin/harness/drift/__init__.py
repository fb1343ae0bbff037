"""Recorded calls against a changed contract: which break, and why."""

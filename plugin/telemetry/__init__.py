"""Metrics, traces, the access log, and rejected calls."""

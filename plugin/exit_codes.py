"""Exit codes of every command and process of this package."""

FINE, FINDINGS, CANNOT_RUN = 0, 1, 2
"""Success; the input has faults; the command could not do its work."""

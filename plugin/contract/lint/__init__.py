"""Faults of documents, manifests and tools, each with its source."""

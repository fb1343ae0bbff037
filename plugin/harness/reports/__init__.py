"""Findings as text, annotations and a page."""

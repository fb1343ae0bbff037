"""Schemas as grammars that the embedded engine decodes under."""

"""JSON Schema as contracts use it: dialects, keywords, patterns, validation, changes."""

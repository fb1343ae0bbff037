"""Tool calls of the embedded engine: prompt, routing, guided decoding."""

"""The GPT API: one module a family of endpoints, wire models above routes."""

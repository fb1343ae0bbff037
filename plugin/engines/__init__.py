"""Who answers for a model name: the embedded engine, and any OpenAI-compatible address."""

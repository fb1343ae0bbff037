"""gpt-plugin: one operation, every door; one gate; a harness that judges from outside."""

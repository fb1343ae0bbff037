"""Commands of the harness: judge, replay, mutate, drift, record, lint, and what they print."""

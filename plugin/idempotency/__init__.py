"""One execution for requests with equal Idempotency-Keys."""

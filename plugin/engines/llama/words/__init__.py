"""Words and clauses of messages, as tool routing reads them."""

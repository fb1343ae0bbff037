"""Processes: the supervisor, its workers, signals, drain, reload, who writes the ledger."""

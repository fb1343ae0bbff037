"""Counters of limits: the protocol, and the file that all workers share."""

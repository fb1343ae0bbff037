"""Judges and replays the calls that models issue, from outside: it knows contracts, no service."""

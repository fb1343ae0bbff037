"""How we call others: one guarded client, and the rule for the addresses it may connect to."""

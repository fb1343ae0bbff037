"""What a plugin promises, ours or another's: one model, made into tools and requests."""

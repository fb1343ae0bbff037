"""What a plugin promises, ours or another's: read into one model, turned into tools and requests."""

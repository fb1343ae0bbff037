"""What the GPT API does beyond asking an engine once."""

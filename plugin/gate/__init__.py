"""What every call passes, and what is kept of it."""

"""The HTTP doors, and the gate in front of them."""

"""What is scarce in a worker and bounded for each caller: threads, connections, heavy work."""

"""HTTP/1.1 on a worker's connections: parsing, limits, timeouts, accepting."""

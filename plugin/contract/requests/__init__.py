"""HTTP requests that a call of a contract stands for."""

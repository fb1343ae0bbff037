"""Who is calling: the caller, and the kinds of credential that prove one."""

"""The embedded engine's process: model files, supervisor, watchdog, state file."""

"""The embedded engine: llama.cpp in a supervised process, and how it is asked."""

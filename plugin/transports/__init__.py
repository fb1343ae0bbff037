"""How the harness reaches a service under test, and how documents are fetched."""

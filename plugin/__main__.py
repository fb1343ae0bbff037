"""`python -m plugin` is the `plugin` command."""

from plugin.cli import main

main()

"""`python -m connector` is the `greendeal` command."""

from connector.cli import main

main()

"""`python -m bench`, where the command `bench` is not on the path."""

from bench.cli import main

main()

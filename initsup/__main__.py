"""`python -m initsup`."""

from initsup.cli.main import program

program()

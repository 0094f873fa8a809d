"""`python -m llmbatch`."""

from llmbatch.cli.main import entry

entry()

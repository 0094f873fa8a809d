"""`python -m llmbatch`."""

from llmbatch.cli.main import entry

# vLLM's child processes import this module again.
if __name__ == "__main__":
    entry()

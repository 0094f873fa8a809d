"""One command a file: its flags, its help and its steps.

`llmbatch --help` reads all of them, so nothing heavy is imported outside of their functions.
"""

"""One command a file: check what was asked, call one function, print."""

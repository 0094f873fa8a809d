"""The use and the cost of runs, read from the store."""

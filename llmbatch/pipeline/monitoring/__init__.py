"""The state, progress, cost and resources of a run while it works."""

"""The engine's copy of a constraint: the same answers, in words that a backend holds truly."""

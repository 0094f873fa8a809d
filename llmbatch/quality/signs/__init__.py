"""Warning signs: documented heuristics over answers. A sign changes no answer and drops no row."""

"""The drift of inputs: what an input is like, and what is other in it than in those before."""

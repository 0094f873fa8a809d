"""Batch files in the shape of OpenAI's: what a line asks for, and the lines that answer it."""

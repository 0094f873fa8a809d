"""The form of an answer: schemas, patterns and choices, what they mean, and their checks."""

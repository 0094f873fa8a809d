"""Rules of the user's: what they see of a row and its answer, and their judgement of it."""

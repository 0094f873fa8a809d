"""The proof that an engine's grammar and the check of answers mean the same.

Texts that keep a schema, and texts that nearly do, are made by a generator of our own: it knows
the keywords that backends are known to read in their own way, the orders and spellings in which a
model writes, and is bounded in time. A library for property tests would know none of these, and
would be needed by every run.
"""

"""Numbers of texts, held against transformers on the same weights."""

"""The nouns that every room uses. Pure but for `clock`, `files` and `drafts`."""

"""What every room speaks. Pure but for `clock`, `files` and `drafts`."""

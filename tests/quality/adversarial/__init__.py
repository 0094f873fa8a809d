"""Wrong but plausible answers over six tasks, and the rules and warning signs that catch them."""

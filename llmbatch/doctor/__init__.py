"""`llmbatch doctor`: what this machine has, what works here, and what would break."""

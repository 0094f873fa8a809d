"""How large a model is, what a device can do at best, and whether the one fits the other."""

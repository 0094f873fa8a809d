"""Sizes of models, best figures of devices, and the fit of one to the other."""

"""Nouns and decisions. Pure: nothing in here does I/O or reads the clock (except `clock`)."""

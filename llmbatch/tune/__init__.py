"""The search for faster engine settings, by trials of them."""

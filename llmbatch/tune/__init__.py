"""Finding faster engine settings by trying them."""

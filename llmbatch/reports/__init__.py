"""One report value built from the store's views, and its renderers."""

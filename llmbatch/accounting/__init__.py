"""What runs used and what that cost, read from the store."""

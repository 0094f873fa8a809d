"""What is accepted as an answer."""

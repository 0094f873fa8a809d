"""What is asked for a row, in the form of its task, and what is accepted as an answer."""

"""Tasks: the form of a request, the checks of its answer, the columns of the output."""

"""The report as a page that needs nothing else."""

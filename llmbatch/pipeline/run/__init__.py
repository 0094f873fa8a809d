"""One run of a job: engines, requests, settled outcomes, checkpoints."""

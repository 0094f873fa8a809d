"""The estimate of a job's next run: tokens, cache, memory, time, money."""

"""What the next run of a job will take: tokens, cache, memory, time, money."""

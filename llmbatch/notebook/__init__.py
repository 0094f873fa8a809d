"""The Python interface, for notebooks and scripts: `llmbatch.run` and `llmbatch.plan`.

They do what the commands of the same names do, with the same store: a job that was begun here is
resumed by the command line, and the other way round. Errors are raised (`llmbatch.UsageError` and
others), the process is never ended, and signal handlers and streams are as they were afterwards.
"""

"""llmbatch: durable batch jobs for language models on your own GPU."""

__version__ = "0.1.0"

"""Servers with OpenAI's interface as an engine: `--engine openai`."""

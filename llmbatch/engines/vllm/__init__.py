"""vLLM behind the protocol of `engines.base`."""

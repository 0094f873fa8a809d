"""Versions of vLLM and of Python that llmbatch claims to work with: see matrix.py."""

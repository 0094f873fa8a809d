"""Rows in and rows out: ingest, columns, export."""

"""The way of the data, in its order: ingest, plan, run, export."""

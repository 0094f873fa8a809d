"""The one door to DuckDB: nothing outside this room runs SQL."""

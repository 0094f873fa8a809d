-- How tables and views are declared, to compare them with those of a new store.

-- name: columns
SELECT table_name, column_name, data_type, CAST(is_nullable AS VARCHAR) FROM duckdb_columns()
WHERE database_name = 'job' AND table_name IN (SELECT table_name FROM duckdb_tables()
    WHERE database_name = 'job');

-- name: constraints
SELECT table_name, constraint_text FROM duckdb_constraints() WHERE database_name = 'job';

-- name: views
SELECT view_name, sql FROM duckdb_views() WHERE database_name = 'job' AND NOT internal;

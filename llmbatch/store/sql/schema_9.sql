-- Schema version 9: what was found out of how the input is written (a JSON array of lines), and
-- inputs of several files: their names (a JSON array), and by which of them, from 0, a row or reject
-- came. Older versions read one file, and found out nothing.

-- name: snapshots_notes
ALTER TABLE snapshots ADD COLUMN notes VARCHAR;

-- name: snapshots_files
ALTER TABLE snapshots ADD COLUMN files VARCHAR;

-- name: rows_file
ALTER TABLE rows ADD COLUMN file INTEGER DEFAULT 0;

-- name: rejects_file
ALTER TABLE rejects ADD COLUMN file INTEGER DEFAULT 0;

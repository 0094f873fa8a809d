-- Schema version 10: inputs of which only some rows are taken: how many were read; NULL in the
-- records of older versions, which took all.

-- name: snapshots_rows_read
ALTER TABLE snapshots ADD COLUMN rows_read BIGINT;

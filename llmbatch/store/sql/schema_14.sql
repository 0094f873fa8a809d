-- Schema version 14: rows of which several samples are asked for. Each is planned by itself: `sample`
-- counts from 0 to `samples` - 1, and has a request of its own. `row_share`: the rows that a request
-- answers, where one of several samples counts as its share of a row; NULL: `copies`. `votes`: the
-- samples of a row vote, so one that fails leaves the answer to the others.

-- name: planned_rows_sample
ALTER TABLE planned_rows ADD COLUMN sample INTEGER DEFAULT 0;

-- name: planned_rows_samples
ALTER TABLE planned_rows ADD COLUMN samples INTEGER DEFAULT 1;

-- name: requests_sample
ALTER TABLE requests ADD COLUMN sample INTEGER DEFAULT 0;

-- name: requests_row_share
ALTER TABLE requests ADD COLUMN row_share DOUBLE;

-- name: plans_votes
ALTER TABLE plans ADD COLUMN votes BOOLEAN DEFAULT 'f';

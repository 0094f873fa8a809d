-- The stores of shards, made one.

-- name: planned_requests
SELECT count(*) FROM requests;

-- name: strays
-- Requests that were tried here, and are now of rows of another shard, or of none.
SELECT DISTINCT CAST(key AS VARCHAR) AS key FROM attempts
ANTI JOIN requests USING (key);

-- name: stage_strays
CREATE OR REPLACE TEMP TABLE strays (key UUID);

-- name: stage_stray
-- Those that are another shard's, or were tried by one that is taken in already.
INSERT INTO strays
SELECT CAST(key AS UUID) FROM batch
WHERE CAST(key AS UUID) IN (SELECT key FROM requests)
    OR CAST(key AS UUID) IN (SELECT key FROM attempts);

-- name: stage_rows
CREATE OR REPLACE TEMP TABLE merged_rows AS FROM rows LIMIT 0;

-- name: stage_planned
CREATE OR REPLACE TEMP TABLE merged_planned AS FROM planned_rows LIMIT 0;

-- name: take_rows
INSERT INTO merged_rows BY NAME SELECT * REPLACE ($snapshot AS snapshot) FROM batch;

-- name: take_planned_rows
INSERT INTO merged_planned BY NAME
SELECT * REPLACE ($plan AS plan, CAST(key AS UUID) AS key) FROM batch;

-- name: take_rejects
INSERT INTO rejects BY NAME SELECT * REPLACE ($snapshot AS snapshot) FROM batch;

-- name: take_requests
INSERT INTO requests BY NAME
SELECT * REPLACE ($plan AS plan, CAST(key AS UUID) AS key, position + $offset AS position) FROM batch;

-- name: settle_rows
INSERT INTO rows FROM merged_rows ORDER BY row;

-- name: settle_planned
INSERT INTO planned_rows FROM merged_planned ORDER BY row, sample;

-- name: drop_rows
DROP TABLE merged_rows;

-- name: drop_planned
DROP TABLE merged_planned;

-- name: take_attempts
INSERT INTO attempts BY NAME
SELECT * REPLACE (
    CASE WHEN CAST(key AS UUID) IN (FROM strays) THEN CAST(md5(concat(key, $shard)) AS UUID)
        ELSE CAST(key AS UUID) END AS key,
    list_extract(CAST($runs AS INTEGER[]), run) AS run
) FROM batch;

-- name: take_reopenings
INSERT INTO reopenings BY NAME
SELECT * REPLACE (
    CASE WHEN CAST(key AS UUID) IN (FROM strays) THEN CAST(md5(concat(key, $shard)) AS UUID)
        ELSE CAST(key AS UUID) END AS key
) FROM batch;

-- name: take_known_failures
INSERT INTO known_failures BY NAME
SELECT * REPLACE (
    CAST(digest AS UUID) AS digest, list_extract(CAST($runs AS INTEGER[]), run) AS run
) FROM batch WHERE CAST(digest AS UUID) NOT IN (SELECT digest FROM known_failures);

-- name: order_of_runs
SELECT run, started_at, started_seconds, pid, host FROM runs ORDER BY run;

-- Shares: the part of a job's rows that a store holds.

-- name: place
-- The different requests, in the order in which they would run: their first row, and their work in
-- characters. `$each`: equal ones are computed each. The samples of a row stay together.
CREATE OR REPLACE TEMP TABLE placed AS
SELECT key, unit, (coalesce(text_characters, length(messages)) + $answer) * samples AS work
FROM (
    SELECT key, min(row) AS unit FROM rendered
    WHERE key IS NOT NULL AND sample = 0 GROUP BY key, CASE WHEN $each THEN row END
) AS units
JOIN rendered USING (key)
WHERE rendered.row = unit AND sample = 0
ORDER BY
    CASE WHEN starts_with(body, '{"adapter":') THEN left(body, 45) END NULLS FIRST,
    messages, key, unit;

-- name: choose
-- The rows of one shard: those of a range of the planned order that has its part of the work, and its
-- part of the rows that are not asked.
CREATE OR REPLACE TEMP TABLE share_rows AS
WITH ours AS (
    SELECT key, unit FROM (
        SELECT *, sum(work) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS upto
        FROM placed
    )
    WHERE (2 * upto - work) * $shards // (2 * (SELECT sum(work) FROM placed)) = $shard - 1
)
SELECT row FROM rendered JOIN ours USING (key)
WHERE sample = 0 AND (NOT $each OR rendered.row = unit)
UNION ALL
SELECT row FROM rendered WHERE key IS NULL AND row % $shards = $shard - 1;

-- name: divided_rows
-- Rows of several requests that are no samples of one.
SELECT count(*) FROM (
    SELECT row FROM rendered WHERE samples > 1 GROUP BY row HAVING count(DISTINCT messages) > 1
);

-- name: drop_other_rendered
DELETE FROM rendered WHERE row NOT IN (SELECT row FROM share_rows);

-- name: forget
DELETE FROM shares;

-- name: keep
INSERT INTO shares
SELECT
    $snapshot, $shard, $shards, $asked, row_count, reject_count, (SELECT count(*) FROM placed)
FROM snapshots WHERE snapshot = $snapshot;

-- name: drop_other_rows
DELETE FROM rows WHERE row NOT IN (SELECT row FROM share_rows);

-- name: drop_other_rejects
DELETE FROM rejects WHERE (file, line, rowid) NOT IN (
    SELECT (file, line, rowid) FROM (
        SELECT file, line, rowid, row_number() OVER (ORDER BY file, line, rowid) AS place FROM rejects
    )
    WHERE place % $shards = $shard - 1
);

-- name: count_rest
UPDATE snapshots SET
    rows_read = coalesce(rows_read, row_count),
    row_count = (SELECT count(*) FROM rows),
    reject_count = (SELECT count(*) FROM rejects),
    notes = CAST(list_append(
        CAST(coalesce(notes, '[]') AS JSON)::VARCHAR[], concat(
            'shard ', $shard, ' of ', $shards, ': ',
            format('{:,}', (SELECT count(*) FROM rows)), ' of ', format('{:,}', row_count), ' rows'
        )
    )::JSON AS VARCHAR)
WHERE snapshot = $snapshot;

-- name: held
SELECT shares.* FROM shares JOIN (SELECT max(snapshot) AS snapshot FROM snapshots) USING (snapshot);

-- name: drop_temporary
DROP TABLE IF EXISTS placed;

-- name: drop_share_rows
DROP TABLE IF EXISTS share_rows;

-- name: has_run
SELECT EXISTS (FROM runs JOIN current_plan USING (plan));

-- Rows of a new input that the one before it had, too, with their requests.

-- name: stage_carried
CREATE OR REPLACE TEMP TABLE carried (row BIGINT, former BIGINT, key UUID);

-- name: carry_in_place
-- Rows of the new snapshot that are what they were, at their place. Long texts are not compared.
INSERT INTO carried
SELECT new.row, new.row, planned.key
FROM rows AS new
JOIN rows AS old ON old.row = new.row AND old.data = new.data
JOIN planned_rows AS planned ON planned.row = old.row
WHERE new.snapshot = $snapshot AND old.snapshot <> $snapshot
    AND new.text_at IS NULL AND old.text_at IS NULL AND planned.key IS NOT NULL;

-- name: carry_moved
-- Those that stood at another place; of several the first.
INSERT INTO carried
SELECT moved.row, moved.former, planned.key
FROM (
    SELECT new.row, min(old.row) AS former
    FROM (
        SELECT row, data FROM rows ANTI JOIN carried USING (row)
        WHERE snapshot = $snapshot AND text_at IS NULL
    ) AS new
    JOIN rows AS old
        ON old.data = new.data AND old.snapshot <> $snapshot AND old.text_at IS NULL
    GROUP BY new.row
) AS moved
JOIN planned_rows AS planned ON planned.row = moved.former
WHERE planned.key IS NOT NULL;

-- name: stage_carried_requests
CREATE OR REPLACE TEMP TABLE carried_requests AS
SELECT key, messages, body FROM requests
SEMI JOIN (SELECT DISTINCT key FROM carried) AS wanted USING (key)
WHERE text_at IS NULL;

-- name: stage_carried_notes
-- What is said of rows that hold control tokens, and are sent.
CREATE OR REPLACE TEMP TABLE carried_notes AS
SELECT row AS former, message FROM planned_rows WHERE key IS NOT NULL AND message IS NOT NULL;

-- name: can_carry
-- A plan of one request for each row, of one model.
SELECT count(*) > 0
    AND (SELECT count(*) FROM escalations) = 0
    AND (SELECT count(*) FROM cascade_stages) = 0
    AND (SELECT count(*) FROM shares) = 0
    AND (SELECT coalesce(max(samples), 1) FROM planned_rows) = 1
FROM current_plan;

-- name: former_plan
SELECT plan, digest FROM plans ORDER BY plan DESC LIMIT 1;

-- name: insert_carried
INSERT INTO rendered BY NAME
SELECT carried.row, key, carried_notes.message, messages, body
FROM carried JOIN rows USING (row) JOIN carried_requests USING (key)
LEFT JOIN carried_notes USING (former);

-- name: stage_other_rows
-- Rows that have to be rendered.
CREATE OR REPLACE TEMP TABLE other_rows AS
SELECT row, coalesce(text_bytes, strlen(data)) AS bytes FROM rows
ANTI JOIN (SELECT row FROM carried SEMI JOIN carried_requests USING (key)) AS known USING (row);

-- name: other_windows
-- In parts of so many bytes and rows.
SELECT list(row ORDER BY row) FROM (
    SELECT row, CAST(sum(bytes + $bytes // $rows) OVER (ORDER BY row) AS BIGINT) AS size
    FROM other_rows
)
GROUP BY size // $bytes ORDER BY min(row);

-- name: drop_carried_requests
DROP TABLE IF EXISTS carried_requests;

-- name: drop_carried
DROP TABLE IF EXISTS carried;

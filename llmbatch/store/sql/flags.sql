-- The flags of the rows of the current plan; those of an older one are as if they were not there.

-- name: stage_flags
CREATE OR REPLACE TEMP TABLE staged_flags (row BIGINT, origin VARCHAR, name VARCHAR, detail VARCHAR);

-- name: stage_flag
INSERT INTO staged_flags SELECT row, origin, name, detail FROM batch;

-- name: delete_flags
DELETE FROM flags WHERE origin = $origin;

-- name: insert_flags
INSERT INTO flags SELECT plan, row, origin, name, detail FROM staged_flags, current_plan;

-- name: is_current
-- Attempts and reopenings are appended only, so their numbers say whether an answer has changed.
SELECT count(*) > 0
FROM flag_passes JOIN current_plan USING (plan)
WHERE
    origin = $origin AND settings = md5($settings)
    AND attempts = (SELECT count(*) FROM attempts)
    AND reopenings = (SELECT count(*) FROM reopenings);

-- name: delete_flag_pass
DELETE FROM flag_passes WHERE origin = $origin;

-- name: insert_flag_pass
INSERT INTO flag_passes
SELECT
    plan, $origin, md5($settings),
    (SELECT count(*) FROM attempts), (SELECT count(*) FROM reopenings)
FROM current_plan;

-- name: flag_counts
SELECT origin, name, count(*) AS rows
FROM flags JOIN current_plan USING (plan)
GROUP BY origin, name ORDER BY rows DESC, origin, name;

-- name: flagged_rows
SELECT count(DISTINCT row) FROM flags JOIN current_plan USING (plan);

-- name: flags_window
SELECT row, origin, name, detail
FROM flags JOIN current_plan USING (plan)
WHERE row >= $first AND row < $end ORDER BY row, origin, name;

-- name: flagged_rows_by_origin
SELECT origin, count(DISTINCT row) FROM flags JOIN current_plan USING (plan) GROUP BY origin;

-- name: flag_examples
SELECT origin, name, id, line, detail
FROM (
    SELECT origin, name, min(row) AS row, arg_min(detail, row) AS detail
    FROM flags JOIN current_plan USING (plan) GROUP BY origin, name
)
JOIN rows USING (row)
ORDER BY origin, name;

-- The flags of the rows of the current plan; those of an older one are as if they were not there.

-- name: stage_flags
CREATE OR REPLACE TEMP TABLE staged_flags (row BIGINT, origin VARCHAR, name VARCHAR, detail VARCHAR);

-- name: stage_flag
INSERT INTO staged_flags SELECT row, origin, name, detail FROM batch;

-- name: delete_flags
DELETE FROM flags WHERE origin = $origin;

-- name: insert_flags
INSERT INTO flags SELECT plan, row, origin, name, detail FROM staged_flags, current_plan;

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

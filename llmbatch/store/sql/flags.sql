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

-- name: last_pass
SELECT plan, attempts, reopenings FROM flag_passes WHERE origin = $origin;

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

-- name: can_renew
-- True if the flags of an origin are those of the plan from which rows were carried over, by the same
-- settings, and of all answers but those of this process.
SELECT count(*) > 0
FROM flag_passes
WHERE
    plan = $plan AND origin = $origin AND settings = md5($settings)
    AND attempts = (SELECT count(*) FROM attempts) - (SELECT count(*) FROM attempts WHERE run >= $run)
    AND reopenings = (SELECT count(*) FROM reopenings);

-- name: first_run_of_process
SELECT coalesce(first_run, run) FROM runs ORDER BY run DESC LIMIT 1;

-- name: stage_rows_to_look_at
-- Rows whose record or answer is new, and those whose flag may depend on other rows: by the length of
-- their answers, because others have the same one, or because they had such a flag.
CREATE OR REPLACE TEMP TABLE rows_to_look_at AS
SELECT row FROM planned_rows
ANTI JOIN (
    SELECT carried.row, carried.key FROM carried
    ANTI JOIN (SELECT key FROM attempts WHERE run >= $run) AS tried USING (key)
) AS same ON same.row = planned_rows.row AND same.key = planned_rows.key
UNION
SELECT row FROM planned_rows JOIN settled USING (key)
WHERE verdict = 'answered' AND (
    abs(ln(1 + length(answer)) - $median) >= $least
    OR (length(answer) <= $short AND len(regexp_extract_all(answer, '[\pL\pN]+')) <= 2)
)
UNION
SELECT carried.row FROM carried JOIN flags ON flags.row = carried.former
WHERE flags.plan = $plan AND origin = $origin AND list_contains($names, name);

-- name: add_rows_to_look_at
INSERT INTO rows_to_look_at SELECT row FROM shared_rows;

-- name: rows_to_look_at
SELECT DISTINCT row FROM rows_to_look_at ORDER BY row;

-- name: stage_carried_flags
INSERT INTO staged_flags
SELECT carried.row, origin, name, detail
FROM carried JOIN planned_rows USING (row) JOIN flags ON flags.row = carried.former
WHERE flags.plan = $plan AND origin = $origin
    AND carried.row NOT IN (SELECT row FROM rows_to_look_at);

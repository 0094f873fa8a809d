-- The stages of a cascade: which rows go on to the next one, and what each stage came to.

-- name: stages
SELECT stage, digest, escalate_below, is_last
FROM cascade_stages JOIN current_plan USING (plan) ORDER BY stage;

-- name: going_on
SELECT min(stage) FROM staged_states WHERE goes_on;

-- name: rows_at_stage
SELECT count(*) FROM planned_rows JOIN current_plan USING (plan) WHERE stage = $stage;

-- name: rows_going_on
SELECT row FROM staged_states WHERE goes_on AND stage = {stage} ORDER BY row;

-- name: highest_stage
SELECT coalesce(max(requests.stage), 0) FROM requests JOIN current_plan USING (plan);

-- name: long_texts_of_stage
SELECT max(text_at + text_bytes) FROM requests WHERE stage = $stage;

-- name: escalate
INSERT INTO escalations
SELECT plan, row, stage, key, message FROM planned_rows
WHERE row IN (SELECT row FROM rendered);

-- name: leave_stage
DELETE FROM planned_rows WHERE row IN (SELECT row FROM rendered);

-- name: enter_stage
INSERT INTO planned_rows
SELECT $plan, row, key, kind, message, 0, 1, $stage FROM rendered ORDER BY row;

-- name: plan_stage_requests
-- As `plan_requests`, after all that are planned already.
INSERT INTO requests
SELECT
    $plan, row_number() OVER () + $first - 1, key, copies, messages, body, text_at, text_bytes,
    text_characters, 0, NULL, $stage
FROM (
    SELECT key, copies, messages, body, text_at, text_bytes, text_characters
    FROM rendered
    JOIN (
        SELECT min(row) AS row, count(*) AS copies
        FROM rendered WHERE key IS NOT NULL GROUP BY key
    ) USING (row)
    ORDER BY messages, key
);

-- name: forget_later_rows
DELETE FROM planned_rows WHERE stage > 0;

-- name: return_rows
INSERT INTO planned_rows
SELECT plan, row, key, NULL, message, 0, 1, 0 FROM escalations WHERE stage = 0 ORDER BY row;

-- name: forget_later_requests
DELETE FROM requests WHERE stage > 0;

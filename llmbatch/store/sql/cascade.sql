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

-- name: stage_usage
WITH
counted AS (
    SELECT
        stage,
        count(*) AS asked,
        count(*) FILTER (NOT is_past AND state = 'answered') AS answered,
        count(*) FILTER (NOT is_past AND state = 'failed') AS failed,
        count(*) FILTER (is_past) AS escalated
    FROM (
        SELECT stage, state, FALSE AS is_past FROM row_states WHERE key IS NOT NULL
        UNION ALL
        SELECT stage, NULL, TRUE FROM escalations JOIN current_plan USING (plan)
    )
    GROUP BY stage
),
taken AS (
    SELECT
        requests.stage,
        sum(attempts.prompt_tokens) AS prompt_tokens, sum(attempts.output_tokens) AS output_tokens
    FROM attempts JOIN requests USING (key) JOIN current_plan USING (plan)
    GROUP BY requests.stage
),
paid AS (
    SELECT requests.stage, sum(seconds) AS seconds, sum(cost) AS cost
    FROM attempt_shares JOIN requests USING (key) JOIN current_plan USING (plan)
    GROUP BY requests.stage
)
SELECT
    stage, asked, answered, failed, escalated,
    CAST(coalesce(prompt_tokens, 0) AS BIGINT) AS prompt_tokens,
    CAST(coalesce(output_tokens, 0) AS BIGINT) AS output_tokens,
    coalesce(seconds, 0) AS seconds, coalesce(cost, 0) AS cost
FROM counted LEFT JOIN taken USING (stage) LEFT JOIN paid USING (stage)
ORDER BY stage;

-- name: escalated_shares
SELECT stage, count(*) / (SELECT count(*) FROM row_states WHERE key IS NOT NULL) AS share
FROM escalations JOIN current_plan USING (plan) GROUP BY stage ORDER BY stage;

-- name: stage_answers
SELECT row, stage, CASE WHEN verdict = 'answered' THEN answer END AS answer
FROM (
    SELECT plan, row, stage, key FROM planned_rows WHERE key IS NOT NULL
    UNION ALL SELECT plan, row, stage, key FROM escalations
)
JOIN current_plan USING (plan) JOIN settled USING (key)
WHERE stage = $stage ORDER BY row;

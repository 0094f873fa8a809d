-- Rows beside answers, for rules over both.

-- name: stage_pending_rows
-- The rows of the requests that a run computes, in the order in which it does.
CREATE OR REPLACE TEMP TABLE pending_rows AS
SELECT requests.position, rows.row, rows.id, rows.data, rows.snapshot, rows.text_at, rows.text_bytes
FROM requests
JOIN pending USING (position)
JOIN planned_rows ON planned_rows.key = requests.key
JOIN rows ON rows.row = planned_rows.row
ORDER BY requests.position, rows.row;

-- name: pending_rows_between
SELECT * FROM pending_rows WHERE position BETWEEN $first AND $last ORDER BY position, row;

-- name: rows_of_requests
SELECT requests.position, rows.row, rows.id, rows.data, rows.snapshot, rows.text_at, rows.text_bytes
FROM requests
JOIN current_plan USING (plan)
JOIN planned_rows ON planned_rows.key = requests.key
JOIN rows ON rows.row = planned_rows.row
WHERE list_contains($positions, requests.position)
ORDER BY requests.position, rows.row;

-- name: collect_accepted
-- The answers of these rows, each request of a row by itself. An attempt that only took up an answer
-- of another one again has no tokens of its own: those of the answer count.
CREATE OR REPLACE TEMP TABLE judged_answers AS
SELECT
    planned_rows.row, planned_rows.sample, CAST(settled.key AS VARCHAR) AS key, settled.attempt,
    settled.answer, settled.finish_reason, first.prompt_tokens, first.output_tokens,
    settled.reasoning
FROM planned_rows
JOIN current_plan USING (plan)
JOIN settled ON settled.key = planned_rows.key
JOIN (
    SELECT key, answer, max(prompt_tokens) AS prompt_tokens, max(output_tokens) AS output_tokens
    FROM attempts GROUP BY key, answer
) AS first ON first.key = settled.key AND first.answer = settled.answer
WHERE settled.verdict = 'answered' AND planned_rows.row BETWEEN $first AND $last
ORDER BY planned_rows.row, planned_rows.sample;

-- name: collect_broken
-- The answers that broke a rule, of requests of these rows that have no other answer.
CREATE OR REPLACE TEMP TABLE judged_answers AS
SELECT
    planned_rows.row, planned_rows.sample, CAST(tries.key AS VARCHAR) AS key, tries.attempt,
    tries.answer, tries.finish_reason, first.prompt_tokens, first.output_tokens, tries.reasoning
FROM planned_rows
JOIN current_plan USING (plan)
JOIN attempts AS tries ON tries.key = planned_rows.key
JOIN (
    SELECT key, answer, max(prompt_tokens) AS prompt_tokens, max(output_tokens) AS output_tokens
    FROM attempts GROUP BY key, answer
) AS first ON first.key = tries.key AND first.answer = tries.answer
WHERE tries.kind = 'check_failed' AND planned_rows.row BETWEEN $first AND $last
    AND tries.key NOT IN (SELECT key FROM settled WHERE verdict = 'answered')
ORDER BY planned_rows.row, planned_rows.sample, tries.attempt;

-- name: judged_window
SELECT
    rows.row, rows.id, rows.data, rows.snapshot, rows.text_at, rows.text_bytes,
    judged_answers.* EXCLUDE (row)
FROM rows JOIN judged_answers USING (row)
WHERE rows.row BETWEEN $first AND $last AND judged_answers.row BETWEEN $first AND $last
ORDER BY rows.row, judged_answers.sample, judged_answers.attempt;

-- name: has_broken
SELECT EXISTS (
    SELECT 1 FROM attempts SEMI JOIN requests USING (key) WHERE kind = 'check_failed'
);

-- name: last_run
SELECT runs.plan, runs.spec FROM runs ORDER BY run DESC LIMIT 1;

-- name: last_attempts
-- The last attempt of each of these requests, and if that settled it: its number and verdict.
SELECT
    CAST(attempts.key AS VARCHAR) AS key, max(attempts.attempt) AS last,
    any_value(settled.attempt) AS settled, any_value(settled.verdict) AS verdict,
    any_value(requests.rows) AS rows
FROM attempts
JOIN (
    SELECT key, coalesce(row_share, copies) AS rows FROM requests JOIN current_plan USING (plan)
) AS requests USING (key)
LEFT JOIN settled USING (key)
SEMI JOIN (SELECT CAST(key AS UUID) AS key FROM batch) AS wanted USING (key)
GROUP BY attempts.key;

-- name: failures_by_rule
-- The tries that broke a rule, and the rows that failed for it, by the name at the beginning of each
-- part of a message.
SELECT
    split_part(message, ':', 1) AS name,
    count(*) AS tries,
    CAST(coalesce(sum(rows) FILTER (is_dead), 0) AS DOUBLE) AS rows
FROM (
    SELECT
        unnest(string_split(attempts.message, '; ')) AS message,
        coalesce(requests.row_share, requests.copies) AS rows,
        dead.key IS NOT NULL AS is_dead
    FROM attempts
    JOIN requests USING (key)
    JOIN current_plan USING (plan)
    LEFT JOIN (SELECT key, attempt FROM settled WHERE verdict = 'dead') AS dead
        ON dead.key = attempts.key AND dead.attempt = attempts.attempt
    WHERE attempts.kind = 'check_failed'
)
WHERE list_contains($names, split_part(message, ':', 1))
GROUP BY ALL ORDER BY tries DESC, name;

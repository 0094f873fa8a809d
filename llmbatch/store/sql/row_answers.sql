-- The answers of rows request by request, and requests by what is called after them.

-- name: collect_row_answers
-- As `collect_results`, of the requests of answered rows.
CREATE OR REPLACE TEMP TABLE row_answers AS
SELECT
    planned_rows.row,
    planned_rows.sample,
    replace(CAST(planned_rows.key AS VARCHAR), '-', '') AS request,
    settled.answer,
    settled.finish_reason,
    settled.prompt_tokens,
    settled.cached_tokens,
    settled.output_tokens,
    settled.reasoning,
    settled.reasoning_tokens,
    settled.logprobs
FROM planned_rows
JOIN current_plan USING (plan)
JOIN settled ON settled.key = planned_rows.key
SEMI JOIN (SELECT row FROM row_states WHERE state = 'answered') AS answered
    ON answered.row = planned_rows.row
WHERE planned_rows.row BETWEEN $first AND $last
ORDER BY planned_rows.row, planned_rows.sample;

-- name: row_answers_window
SELECT
    rows.row, rows.line, rows.id, rows.data, rows.snapshot, rows.text_at, rows.text_bytes,
    row_answers.* EXCLUDE (row)
FROM rows JOIN row_answers USING (row)
WHERE rows.row BETWEEN $first AND $last AND row_answers.row BETWEEN $first AND $last
ORDER BY rows.row, row_answers.sample;

-- name: requests_with_keys
SELECT
    replace(CAST(requests.key AS VARCHAR), '-', '') AS name,
    0 AS sample,
    name AS key,
    requests.body,
    requests.copies,
    coalesce(tried.attempts, 0) AS attempts,
    settled.verdict
FROM requests
JOIN current_plan USING (plan)
LEFT JOIN settled USING (key)
LEFT JOIN (SELECT key, max(attempt) AS attempts FROM attempts GROUP BY key) AS tried USING (key)
WHERE list_contains($names, name);

-- name: requests_of_rows
SELECT
    rows.id AS name,
    planned_rows.sample,
    replace(CAST(requests.key AS VARCHAR), '-', '') AS key,
    requests.body,
    requests.copies,
    coalesce(tried.attempts, 0) AS attempts,
    settled.verdict
FROM rows
JOIN planned_rows USING (row)
JOIN current_plan USING (plan)
JOIN requests ON requests.key = planned_rows.key
LEFT JOIN settled ON settled.key = planned_rows.key
LEFT JOIN (SELECT key, max(attempt) AS attempts FROM attempts GROUP BY key) AS tried
    ON tried.key = planned_rows.key
WHERE list_contains($names, rows.id)
ORDER BY rows.row, planned_rows.sample;

-- name: longest_wanted
SELECT coalesce(max(coalesce(TRY_CAST(body ->> '$.max_tokens' AS BIGINT), $usual)), $usual)
FROM requests JOIN current_plan USING (plan);

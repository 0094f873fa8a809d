-- The requests of answered rows with their answers, for the training of another model. A request that
-- several rows share counts once, with the first of them.

-- name: collect_training_requests
CREATE OR REPLACE TEMP TABLE training_requests AS
SELECT min(planned_rows.row) AS row, planned_rows.key, bool_or(flagged.row IS NOT NULL) AS is_flagged
FROM planned_rows
JOIN current_plan USING (plan)
SEMI JOIN (SELECT row FROM row_states WHERE state = 'answered') AS answered
    ON answered.row = planned_rows.row
LEFT JOIN (SELECT DISTINCT row FROM flags JOIN current_plan USING (plan)) AS flagged
    ON flagged.row = planned_rows.row
WHERE planned_rows.key IS NOT NULL
GROUP BY planned_rows.key;

-- name: collect_training_answers
-- `refused`: the answers of failed tries, the first one first.
CREATE OR REPLACE TEMP TABLE training_answers AS
SELECT
    asked.row,
    requests.position,
    requests.sample,
    asked.is_flagged,
    CASE WHEN settled.verdict = 'answered' THEN settled.answer END AS answer,
    coalesce(refused.answers, []) AS refused
FROM training_requests AS asked
JOIN requests USING (key)
JOIN current_plan USING (plan)
JOIN settled ON settled.key = asked.key
LEFT JOIN (
    SELECT key, list(answer ORDER BY attempt) AS answers
    FROM attempts WHERE verdict <> 'answered' AND answer IS NOT NULL GROUP BY key
) AS refused ON refused.key = asked.key
WHERE asked.row BETWEEN $first AND $last
ORDER BY asked.row, requests.sample;

-- name: training_answers_window
SELECT row, position, sample, is_flagged, answer, refused
FROM training_answers WHERE row BETWEEN $first AND $last ORDER BY row, sample;

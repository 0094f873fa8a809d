-- State is asked, not stored: these views are the only definition of it.

-- name: current_plan
-- The newest plan, if it is for the newest snapshot; otherwise no row: a new snapshot has no
-- plan until it is planned.
CREATE VIEW current_plan AS
SELECT plan, snapshot FROM (SELECT plan, snapshot FROM plans ORDER BY plan DESC LIMIT 1)
WHERE snapshot = (SELECT max(snapshot) FROM snapshots);

-- name: settled
-- Requests that need no further try, over all plans. `attempt` is the one that settled it.
CREATE VIEW settled AS
SELECT * FROM attempts WHERE verdict IN ('answered', 'dead');

-- name: pending
-- Requests of the current plan that are not settled, with the number of tries so far.
CREATE VIEW pending AS
SELECT requests.position, requests.key
FROM requests
JOIN current_plan USING (plan)
ANTI JOIN settled USING (key);

-- name: row_states
-- What became of every row of the current plan.
CREATE VIEW row_states AS
SELECT
    planned_rows.row,
    planned_rows.key,
    CASE
        WHEN planned_rows.kind IS NOT NULL THEN 'failed'
        WHEN settled.verdict = 'answered' THEN 'answered'
        WHEN settled.verdict = 'dead' THEN 'failed'
        ELSE 'pending'
    END AS state,
    coalesce(planned_rows.kind, settled.kind) AS kind,
    coalesce(planned_rows.message, settled.message) AS message,
    settled.run,
    settled.attempt,
    settled.finish_reason,
    settled.answer,
    settled.prompt_tokens,
    settled.cached_tokens,
    settled.output_tokens
FROM planned_rows
JOIN current_plan USING (plan)
LEFT JOIN settled ON settled.key = planned_rows.key;

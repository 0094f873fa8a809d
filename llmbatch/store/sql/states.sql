-- State is asked, not stored: these views are the only definition of it. Every connection creates
-- them for itself, and none reads them from the file of a store, where another program may have
-- changed them.

-- name: current_plan
-- The newest plan, if it is for the newest snapshot; otherwise no row: a new snapshot has no
-- plan until it is planned.
CREATE OR REPLACE TEMP VIEW current_plan AS
SELECT plan, snapshot FROM (SELECT plan, snapshot FROM plans ORDER BY plan DESC LIMIT 1)
WHERE snapshot = (SELECT max(snapshot) FROM snapshots);

-- name: settled
-- Requests that need no further try, over all plans. `attempt` is the one that settled it.
CREATE OR REPLACE TEMP VIEW settled AS
SELECT attempts.* FROM attempts ANTI JOIN reopenings USING (key, attempt)
WHERE verdict IN ('answered', 'dead');

-- name: failed_tries
-- Requests that have failed: how often in all, how often since they were last reopened, and how
-- often in each of the ways after which a retry is sent with other sampling; of answers that were
-- cut, those since a limit was given with a reopening, and that limit. An answer that was reopened
-- (see reopening.py) counts as a try, too.
CREATE OR REPLACE TEMP VIEW failed_tries AS
SELECT
    tries.key,
    max(tries.attempt) AS attempts,
    max(tries.attempt) - coalesce(max(reopened.attempt), 0) AS since_reopened,
    count(*) FILTER (
        tries.kind IN ('truncated', 'unfinished_thinking')
        AND tries.attempt > coalesce(reopened.limited, 0)
    ) AS truncated,
    count(*) FILTER (tries.kind IN ('invalid_output', 'unfinished_thinking')) AS invalid,
    count(*) FILTER (tries.kind = 'repetition') AS repeated,
    max(reopened.max_tokens) AS max_tokens
FROM (
    SELECT key, attempt, kind FROM attempts WHERE verdict <> 'answered'
    UNION ALL
    SELECT key, attempt, kind FROM attempts SEMI JOIN reopenings USING (key, attempt)
    WHERE verdict = 'answered'
) AS tries
LEFT JOIN (
    SELECT
        key,
        max(attempt) AS attempt,
        max(attempt) FILTER (max_tokens IS NOT NULL) AS limited,
        arg_max(max_tokens, attempt) FILTER (max_tokens IS NOT NULL) AS max_tokens
    FROM reopenings GROUP BY key
) AS reopened USING (key)
GROUP BY tries.key;

-- name: pending
-- Requests of the current plan that are not settled, with their failed tries so far.
CREATE OR REPLACE TEMP VIEW pending AS
SELECT
    requests.position,
    requests.key,
    coalesce(failed_tries.attempts, 0) AS attempts,
    coalesce(failed_tries.since_reopened, 0) AS since_reopened,
    coalesce(failed_tries.truncated, 0) AS truncated,
    coalesce(failed_tries.invalid, 0) AS invalid,
    coalesce(failed_tries.repeated, 0) AS repeated,
    failed_tries.max_tokens
FROM requests
JOIN current_plan USING (plan)
ANTI JOIN settled USING (key)
LEFT JOIN failed_tries USING (key);

-- name: row_states
-- The state of every row of the current plan.
CREATE OR REPLACE TEMP VIEW row_states AS
SELECT
    planned_rows.row,
    planned_rows.key,
    CASE
        WHEN planned_rows.kind = 'skipped' THEN 'skipped'
        WHEN planned_rows.kind IS NOT NULL THEN 'failed'
        WHEN settled.verdict = 'answered' THEN 'answered'
        WHEN settled.verdict = 'dead' THEN 'failed'
        ELSE 'pending'
    END AS state,
    coalesce(planned_rows.kind, settled.kind) AS kind,
    -- The message of a planned row that has a request is no failure's: see plans.RenderedRow.
    CASE WHEN planned_rows.kind IS NULL THEN settled.message ELSE planned_rows.message END
        AS message,
    settled.run,
    settled.attempt,
    settled.finish_reason,
    settled.answer,
    settled.prompt_tokens,
    settled.cached_tokens,
    settled.output_tokens,
    settled.reasoning,
    settled.reasoning_tokens
FROM planned_rows
JOIN current_plan USING (plan)
LEFT JOIN settled ON settled.key = planned_rows.key;

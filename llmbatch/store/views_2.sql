-- Views of schema version 2, which take the place of their namesakes.

-- name: settled
-- Requests that need no further try, over all plans. `attempt` is the one that settled it.
CREATE OR REPLACE VIEW settled AS
SELECT attempts.* FROM attempts ANTI JOIN reopenings USING (key, attempt)
WHERE verdict IN ('answered', 'dead');

-- name: failed_tries
-- Requests that have failed: how often in all, how often since they were last reopened, and how
-- the last time.
CREATE VIEW failed_tries AS
SELECT
    tries.key,
    max(tries.attempt) AS attempts,
    max(tries.attempt) - coalesce(max(reopenings.attempt), 0) AS since_reopened,
    arg_max(tries.kind, tries.attempt) AS kind
FROM (SELECT key, attempt, kind FROM attempts WHERE verdict <> 'answered') AS tries
LEFT JOIN reopenings USING (key)
GROUP BY tries.key;

-- name: pending
-- Requests of the current plan that are not settled, with their failed tries so far.
CREATE OR REPLACE VIEW pending AS
SELECT
    requests.position,
    requests.key,
    coalesce(failed_tries.attempts, 0) AS attempts,
    coalesce(failed_tries.since_reopened, 0) AS since_reopened,
    failed_tries.kind
FROM requests
JOIN current_plan USING (plan)
ANTI JOIN settled USING (key)
LEFT JOIN failed_tries USING (key);

-- Views of schema version 2, which take the place of their namesakes.

-- name: settled
-- Requests that need no further try, over all plans. `attempt` is the one that settled it.
CREATE OR REPLACE VIEW settled AS
SELECT attempts.* FROM attempts ANTI JOIN reopenings USING (key, attempt)
WHERE verdict IN ('answered', 'dead');

-- name: failed_tries
-- Requests that have failed: how often in all, how often since they were last reopened, and how
-- often in the two ways for which a retry is sent with other sampling.
CREATE VIEW failed_tries AS
SELECT
    tries.key,
    max(tries.attempt) AS attempts,
    max(tries.attempt) - coalesce(max(reopened.attempt), 0) AS since_reopened,
    count(*) FILTER (tries.kind = 'truncated') AS truncated,
    count(*) FILTER (tries.kind = 'invalid_output') AS invalid
FROM (SELECT key, attempt, kind FROM attempts WHERE verdict <> 'answered') AS tries
LEFT JOIN (SELECT key, max(attempt) AS attempt FROM reopenings GROUP BY key) AS reopened
    USING (key)
GROUP BY tries.key;

-- name: pending
-- Requests of the current plan that are not settled, with their failed tries so far.
CREATE OR REPLACE VIEW pending AS
SELECT
    requests.position,
    requests.key,
    coalesce(failed_tries.attempts, 0) AS attempts,
    coalesce(failed_tries.since_reopened, 0) AS since_reopened,
    coalesce(failed_tries.truncated, 0) AS truncated,
    coalesce(failed_tries.invalid, 0) AS invalid
FROM requests
JOIN current_plan USING (plan)
ANTI JOIN settled USING (key)
LEFT JOIN failed_tries USING (key);

-- State is asked, not stored: these views are the only definition of it. Every connection creates
-- them for itself, and none reads them from the file of a store, where another program may have
-- changed them.

-- name: current_plan
-- The newest plan, if it is for the newest snapshot; otherwise no row: a new snapshot has no
-- plan until it is planned.
CREATE OR REPLACE TEMP VIEW current_plan AS
SELECT plan, snapshot, votes
FROM (SELECT plan, snapshot, votes FROM plans ORDER BY plan DESC LIMIT 1)
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
-- (see reopening.py) counts as a try, too. `unfit`: of the tries since then those that failed because
-- they were told of the failed answer before them (see `core/outcomes.py: Tries`).
CREATE OR REPLACE TEMP VIEW failed_tries AS
SELECT
    tries.key,
    max(tries.attempt) AS attempts,
    count(*) FILTER (
        tries.told
        AND tries.kind IN ('too_long', 'context_full', 'refused_request')
        AND tries.attempt > coalesce(reopened.attempt, 0)
    ) AS unfit,
    max(tries.attempt) - coalesce(max(reopened.attempt), 0) - unfit AS since_reopened,
    count(*) FILTER (
        tries.kind IN ('truncated', 'unfinished_thinking')
        AND tries.attempt > coalesce(reopened.limited, 0)
    ) AS truncated,
    count(*) FILTER (tries.kind IN ('invalid_output', 'check_failed', 'unfinished_thinking')) AS invalid,
    count(*) FILTER (tries.kind = 'repetition') AS repeated,
    max(reopened.max_tokens) AS max_tokens
FROM (
    SELECT key, attempt, kind, told FROM attempts WHERE verdict <> 'answered'
    UNION ALL
    SELECT key, attempt, kind, told FROM attempts SEMI JOIN reopenings USING (key, attempt)
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
    failed_tries.max_tokens,
    coalesce(failed_tries.unfit, 0) AS unfit
FROM requests
JOIN current_plan USING (plan)
ANTI JOIN settled USING (key)
LEFT JOIN failed_tries USING (key);

-- name: sampled_states
-- The states of the rows of which several samples are asked for: pending until all of these have
-- settled, then failed if one has failed (where they vote: if all have), for the reason of the first.
-- What is settled is written in other words than in `settled`: of a subplan that two parts of
-- `row_states` share DuckDB makes a table for both, also where no row has several samples.
CREATE OR REPLACE TEMP VIEW sampled_states AS
SELECT
    row,
    key,
    CASE WHEN is_pending THEN 'pending' WHEN is_failed THEN 'failed' ELSE 'answered' END AS state,
    CASE WHEN is_failed THEN failure.kind END AS kind,
    CASE WHEN is_failed
        THEN concat(failure.message, ' (', failed, ' of ', samples, ' samples failed)') END
        AS message,
    CASE WHEN NOT is_pending THEN run END AS run,
    CASE WHEN NOT is_pending THEN attempt END AS attempt,
    CASE
        WHEN is_failed THEN failure.finish_reason
        WHEN NOT is_pending THEN coalesce(cut_reason, finish_reason)
    END AS finish_reason,
    -- Of all samples, a JSON array with null for one that has failed; of a failed row the text that
    -- was not accepted.
    CASE
        WHEN is_failed THEN failure.answer
        WHEN NOT is_pending THEN CAST(to_json(answers) AS VARCHAR)
    END AS answer,
    CASE WHEN NOT is_pending THEN prompt_tokens END AS prompt_tokens,
    CASE WHEN NOT is_pending THEN cached_tokens END AS cached_tokens,
    CASE WHEN NOT is_pending THEN output_tokens END AS output_tokens,
    CASE WHEN NOT is_pending AND NOT is_failed AND thought > 0
        THEN CAST(to_json(reasonings) AS VARCHAR) END AS reasoning,
    CASE WHEN NOT is_pending THEN reasoning_tokens END AS reasoning_tokens,
    samples,
    0 AS stage
FROM (
    SELECT
        planned_rows.row,
        min(planned_rows.key) FILTER (sample = 0) AS key,
        any_value(samples) AS samples,
        count(*) FILTER (verdict = 'dead') AS failed,
        count(verdict) < count(*) AS is_pending,
        NOT is_pending AND failed > 0 AND (failed = count(*) OR NOT any_value(votes)) AS is_failed,
        arg_min(
            {
                'kind': tries.kind, 'message': tries.message, 'finish_reason': finish_reason,
                'answer': answer
            },
            sample
        ) FILTER (verdict = 'dead') AS failure,
        arg_min(finish_reason, sample) FILTER (
            verdict = 'answered' AND finish_reason IN ('length', 'context')
        ) AS cut_reason,
        arg_min(finish_reason, sample) FILTER (verdict = 'answered') AS finish_reason,
        list(CASE WHEN verdict = 'answered' THEN answer END ORDER BY sample) AS answers,
        list(CASE WHEN verdict = 'answered' THEN reasoning END ORDER BY sample) AS reasonings,
        count(reasoning) FILTER (verdict = 'answered') AS thought,
        max(run) AS run,
        max(attempt) AS attempt,
        CAST(sum(prompt_tokens) AS BIGINT) AS prompt_tokens,
        CAST(sum(cached_tokens) AS BIGINT) AS cached_tokens,
        CAST(sum(output_tokens) AS BIGINT) AS output_tokens,
        CAST(sum(reasoning_tokens) AS BIGINT) AS reasoning_tokens
    FROM planned_rows
    JOIN current_plan USING (plan)
    LEFT JOIN (
        SELECT every.* FROM attempts AS every ANTI JOIN reopenings USING (key, attempt)
        WHERE verdict <> 'retry'
    ) AS tries ON tries.key = planned_rows.key
    WHERE samples > 1
    GROUP BY planned_rows.row
);

-- name: staged_states
-- What the request of a row's stage came to. `goes_on`: its answer does not do there, and another
-- stage of the cascade follows: it failed, or its confidence is too low or not known.
CREATE OR REPLACE TEMP VIEW staged_states AS
SELECT
    planned_rows.row, planned_rows.key, planned_rows.stage, planned_rows.samples,
    planned_rows.kind AS unmade, planned_rows.message AS note,
    settled.* EXCLUDE (key),
    CASE
        WHEN cascade_stages.stage IS NULL OR is_last OR verdict IS NULL THEN FALSE
        WHEN verdict = 'dead' THEN TRUE
        WHEN escalate_below IS NULL THEN FALSE
        WHEN escalate_below = 'infinity' THEN TRUE
        ELSE coalesce(
            TRY_CAST(json_extract_string(answer, '$.confidence') AS DOUBLE) < escalate_below, TRUE
        )
    END AS goes_on
FROM planned_rows
JOIN current_plan USING (plan)
LEFT JOIN settled ON settled.key = planned_rows.key
LEFT JOIN cascade_stages
    ON cascade_stages.plan = planned_rows.plan AND cascade_stages.stage = planned_rows.stage
WHERE samples = 1;

-- name: row_states
-- The state of every row of the current plan; of a row that goes on to another stage it is pending.
-- `samples`: how many the row has; of several, the tokens are those of all, the tries those of the one
-- that took most, and the answer is an array.
CREATE OR REPLACE TEMP VIEW row_states AS
SELECT
    row,
    key,
    CASE
        WHEN unmade = 'skipped' THEN 'skipped'
        WHEN unmade IS NOT NULL THEN 'failed'
        WHEN goes_on THEN 'pending'
        WHEN verdict = 'answered' THEN 'answered'
        WHEN verdict = 'dead' THEN 'failed'
        ELSE 'pending'
    END AS state,
    coalesce(unmade, CASE WHEN NOT goes_on THEN kind END) AS kind,
    -- The message of a planned row that has a request is no failure's: see RenderedRow.
    CASE WHEN unmade IS NOT NULL THEN note WHEN NOT goes_on THEN message END AS message,
    CASE WHEN NOT goes_on THEN run END AS run,
    CASE WHEN NOT goes_on THEN attempt END AS attempt,
    CASE WHEN NOT goes_on THEN finish_reason END AS finish_reason,
    CASE WHEN NOT goes_on THEN answer END AS answer,
    CASE WHEN NOT goes_on THEN prompt_tokens END AS prompt_tokens,
    CASE WHEN NOT goes_on THEN cached_tokens END AS cached_tokens,
    CASE WHEN NOT goes_on THEN output_tokens END AS output_tokens,
    CASE WHEN NOT goes_on THEN reasoning END AS reasoning,
    CASE WHEN NOT goes_on THEN reasoning_tokens END AS reasoning_tokens,
    samples,
    stage
FROM staged_states
UNION ALL
FROM sampled_states;

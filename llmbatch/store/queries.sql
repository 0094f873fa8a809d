-- The statements of the store's functions, by the noun they serve.

-- ---------------------------------------------------------------- snapshots, rows, rejects

-- name: newest_snapshot
SELECT * FROM snapshots ORDER BY snapshot DESC LIMIT 1;

-- name: stage_rows
CREATE OR REPLACE TEMP TABLE staged_rows (row BIGINT, line BIGINT, id VARCHAR, data VARCHAR);

-- name: stage_rejects
CREATE OR REPLACE TEMP TABLE staged_rejects (line BIGINT, reason VARCHAR, raw VARCHAR);

-- name: insert_rows
INSERT INTO rows SELECT $snapshot, row, line, id, data FROM staged_rows;

-- name: insert_rejects
INSERT INTO rejects SELECT $snapshot, line, reason, raw FROM staged_rejects;

-- name: reject_duplicate_ids
-- The first row of an id stays; the later ones become rejects that name its line.
INSERT INTO rejects
SELECT
    snapshot,
    line,
    'duplicate id ' || chr(39) || id || chr(39) || ' (first on line ' || first_line || ')',
    left(data, 10000)
FROM (
    SELECT
        *,
        row_number() OVER (PARTITION BY id ORDER BY row) AS copy,
        first_value(line) OVER (PARTITION BY id ORDER BY row) AS first_line
    FROM rows
)
WHERE copy > 1
ORDER BY row;

-- name: delete_duplicate_ids
DELETE FROM rows WHERE row IN (
    SELECT row FROM (
        SELECT row, row_number() OVER (PARTITION BY id ORDER BY row) AS copy FROM rows
    )
    WHERE copy > 1
);

-- name: insert_snapshot
INSERT INTO snapshots
SELECT
    $snapshot, $input, $format, $digest, $id_column, $columns,
    (SELECT count(*) FROM rows), (SELECT count(*) FROM rejects), $ingested_at;

-- name: rows_window
SELECT row, data FROM rows WHERE row BETWEEN ? AND ? ORDER BY row;

-- name: lengths
SELECT prompt_tokens, output_tokens FROM attempts
WHERE verdict = 'answered' AND list_contains($runs, run)
ORDER BY run DESC, checkpoint DESC LIMIT 5000;

-- name: rejects_in_order
SELECT line, reason, raw FROM rejects WHERE line > ? ORDER BY line LIMIT ?;

-- ---------------------------------------------------------------- plans, requests

-- name: current_plan
SELECT plans.plan, plans.snapshot, plans.digest FROM plans JOIN current_plan USING (plan);

-- name: stage_rendered
CREATE OR REPLACE TEMP TABLE rendered (
    row BIGINT, key UUID, kind VARCHAR, message VARCHAR, messages VARCHAR
);

-- name: stage
INSERT INTO rendered SELECT row, CAST(key AS UUID), kind, message, messages FROM batch;

-- name: staged_repeats
-- Rows whose request was met before, with the number of the repetition (from 1), in row order.
SELECT row, CAST(key AS VARCHAR) AS key, copy - 1 AS sample
FROM (
    SELECT row, key, row_number() OVER (PARTITION BY key ORDER BY row) AS copy
    FROM rendered WHERE key IS NOT NULL
)
WHERE copy > 1
ORDER BY row;

-- name: restage
UPDATE rendered SET key = CAST(batch.key AS UUID) FROM batch WHERE rendered.row = batch.row;

-- name: plan_rows
INSERT INTO planned_rows SELECT $plan, row, key, kind, message FROM rendered ORDER BY row;

-- name: plan_requests
-- Requests that share a prefix run together: sorted by their rendered messages, once, and then
-- numbered as they come.
INSERT INTO requests
SELECT $plan, row_number() OVER () - 1, key, copies, messages
FROM (
    SELECT key, copies, messages
    FROM rendered
    JOIN (
        SELECT min(row) AS row, count(*) AS copies
        FROM rendered WHERE key IS NOT NULL GROUP BY key
    ) USING (row)
    ORDER BY messages, key
);

-- name: pending_positions
SELECT position FROM pending ORDER BY position;

-- name: pending_tries
SELECT position, attempts, since_reopened, truncated, invalid FROM pending WHERE attempts > 0;

-- name: has_field_orders
SELECT EXISTS (
    FROM duckdb_tables() WHERE database_name = ? AND table_name = 'field_orders'
);

-- name: first_messages
SELECT messages FROM requests JOIN planned_rows USING (key) ORDER BY planned_rows.row LIMIT 1;

-- name: settled_in_former
SELECT count(*), coalesce(sum(copies), 0) FROM requests
SEMI JOIN (SELECT key FROM former.attempts WHERE verdict IN ('answered', 'dead')) USING (key);

-- name: requests_window
SELECT position, CAST(key AS VARCHAR) AS key, copies, messages FROM requests
WHERE position BETWEEN ? AND ? ORDER BY position;

-- name: requests_at
SELECT position, CAST(key AS VARCHAR) AS key, copies, messages FROM requests
WHERE position IN (SELECT unnest($positions)) ORDER BY position;

-- name: stage_left
-- Requests of the plan and the first row of each.
CREATE OR REPLACE TEMP TABLE left_requests AS
SELECT position, key, row FROM requests
JOIN (SELECT key, min(row) AS row FROM planned_rows WHERE key IS NOT NULL GROUP BY key) USING (key);

-- name: drop_settled_in_former
DELETE FROM left_requests WHERE key IN (
    SELECT key FROM former.attempts WHERE verdict IN ('answered', 'dead')
);

-- name: left_positions
SELECT position FROM left_requests ORDER BY position;

-- name: left_rows
SELECT row FROM left_requests ORDER BY row;

-- name: rows_at
SELECT data FROM rows WHERE row IN (SELECT unnest($rows)) ORDER BY row;

-- name: answer_lengths
-- Of the newest answers.
SELECT output_tokens FROM attempts WHERE verdict = 'answered'
ORDER BY run DESC, checkpoint DESC LIMIT $most;

-- name: answer_lengths_in_former
SELECT output_tokens FROM former.attempts WHERE verdict = 'answered'
ORDER BY run DESC, checkpoint DESC LIMIT $most;

-- name: last_engine_in_former
SELECT description FROM former.engine_starts ORDER BY began_at DESC LIMIT 1;

-- ---------------------------------------------------------------- runs, attempts, checkpoints

-- name: count_states
SELECT state, count(*) AS rows, count(DISTINCT key) AS requests FROM row_states GROUP BY state;

-- name: settled_before
-- Rows of the current plan whose requests were settled before the run began.
SELECT coalesce(sum(copies), 0) FROM requests
JOIN current_plan USING (plan)
SEMI JOIN settled USING (key);

-- name: dead_attempts
-- Those that settle a request of the current plan, with the rows that each one fails.
SELECT settled.key, settled.attempt, requests.copies
FROM settled
JOIN requests USING (key)
JOIN current_plan ON current_plan.plan = requests.plan
WHERE settled.verdict = 'dead' AND (len($kinds) = 0 OR list_contains($kinds, settled.kind))
ORDER BY requests.position;

-- ---------------------------------------------------------------- the journal, written anew

-- name: checkpoint_sizes
SELECT run, checkpoint, count(*) AS records
FROM (SELECT run, checkpoint FROM attempts UNION ALL SELECT run, checkpoint FROM checkpoints)
GROUP BY run, checkpoint ORDER BY run, checkpoint;

-- name: journal_checkpoints
SELECT * FROM checkpoints WHERE run = ? AND checkpoint BETWEEN ? AND ? ORDER BY checkpoint;

-- name: journal_attempts
SELECT * FROM attempts WHERE run = ? AND checkpoint BETWEEN ? AND ? ORDER BY checkpoint, attempt;

-- ---------------------------------------------------------------- results

-- name: collect_results
-- One pass over the attempts for a million rows, whose windows are then read from a sorted copy.
CREATE OR REPLACE TEMP TABLE results AS
SELECT * FROM row_states
WHERE row BETWEEN $first AND $last AND list_contains($states, state)
ORDER BY row;

-- name: results_window
SELECT rows.row, rows.line, rows.id, rows.data, results.* EXCLUDE (row, key)
FROM rows JOIN results USING (row)
WHERE rows.row BETWEEN $first AND $last AND results.row BETWEEN $first AND $last
ORDER BY rows.row;

-- ---------------------------------------------------------------- report

-- name: plan_counts
SELECT
    (SELECT count(*) FROM planned_rows) AS rows,
    (SELECT count(*) FROM requests) AS requests,
    (SELECT count(*) FROM planned_rows WHERE key IS NOT NULL)
        - (SELECT count(*) FROM requests) AS duplicates;

-- name: duplicate_tokens
-- Tokens that answered rows of the current plan did not cost, because they share a request.
SELECT
    coalesce(sum((copies - 1) * prompt_tokens), 0) AS prompt_tokens,
    coalesce(sum((copies - 1) * output_tokens), 0) AS output_tokens
FROM requests
JOIN current_plan USING (plan)
JOIN settled USING (key)
WHERE copies > 1 AND verdict = 'answered';

-- name: failure_counts
SELECT kind, count(*) AS rows, any_value(message ORDER BY row) AS example
FROM row_states WHERE state = 'failed' GROUP BY kind ORDER BY rows DESC, kind;

-- name: run_summaries
SELECT
    runs.run, runs.started_at, runs.pid, runs.host, runs.version, runs.reused, runs.spec,
    run_ends.ended_at, run_ends.reason, run_ends.exit_code, run_ends.timings,
    (SELECT max(committed_at) FROM checkpoints WHERE checkpoints.run = runs.run) AS last_commit,
    (SELECT telemetry FROM checkpoints WHERE checkpoints.run = runs.run
        ORDER BY checkpoint DESC LIMIT 1) AS telemetry,
    (SELECT count(*) FROM checkpoints WHERE checkpoints.run = runs.run) AS checkpoints
FROM runs LEFT JOIN run_ends USING (run)
ORDER BY runs.run;

-- name: run_tokens
SELECT
    run,
    count(*) AS attempts,
    count(*) FILTER (attempt > 1) AS retries,
    count(*) FILTER (verdict <> 'answered') AS failed,
    sum(cached_tokens) FILTER (attempt = 1) / nullif(sum(prompt_tokens) FILTER (attempt = 1), 0)
        AS measured_hits,
    sum(prompt_tokens) AS prompt_tokens,
    sum(cached_tokens) AS cached_tokens,
    sum(output_tokens) AS output_tokens,
    coalesce(sum(prompt_tokens) FILTER (verdict <> 'answered'), 0) AS wasted_prompt_tokens,
    coalesce(sum(output_tokens) FILTER (verdict <> 'answered'), 0) AS wasted_output_tokens
FROM attempts GROUP BY run ORDER BY run;

-- name: run_rows
-- Rows of the current plan by the run that settled them.
SELECT run, count(*) AS rows FROM row_states WHERE run IS NOT NULL GROUP BY run;

-- name: engine_starts
SELECT run, began_at, ready_at, description FROM engine_starts ORDER BY run, began_at;

-- name: engine_deaths
SELECT run, died_at, reason, in_flight FROM engine_deaths ORDER BY run, died_at;

-- name: forecasts
SELECT run, forecast FROM forecasts ORDER BY run, made_at;

-- name: rows_by_attempts
-- Settled rows of the current plan by the attempt that settled them.
SELECT
    coalesce(attempt, 0) AS attempts,
    count(*) FILTER (state = 'answered') AS answered,
    count(*) FILTER (state = 'failed') AS failed
FROM row_states WHERE state <> 'pending' GROUP BY attempts ORDER BY attempts;

-- The statements of the store's functions, by the noun they serve.

-- ---------------------------------------------------------------- the file

-- name: catalog
SELECT 'TABLE' AS kind, table_name AS name FROM duckdb_tables()
WHERE database_name = $store AND NOT internal
UNION ALL
SELECT 'VIEW', view_name FROM duckdb_views() WHERE database_name = $store AND NOT internal;

-- ---------------------------------------------------------------- snapshots, rows, rejects

-- name: newest_snapshot
SELECT * FROM snapshots ORDER BY snapshot DESC LIMIT 1;

-- name: reject_duplicate_ids
-- The first row of an id stays; the later ones become rejects that name its line. (Their data is
-- joined later: what a window function is given is held for all rows.)
INSERT INTO rejects
SELECT
    snapshot,
    line,
    'duplicate id ' || chr(39) || id || chr(39) || ' (first on line ' || first_line || ')',
    left(data, 10000),
    file
FROM rows
JOIN (
    SELECT
        row,
        row_number() OVER (PARTITION BY id ORDER BY row) AS copy,
        first_value(line) OVER (PARTITION BY id ORDER BY row) AS first_line
    FROM rows
    QUALIFY copy > 1
) AS copies USING (row)
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
    (SELECT count(*) FROM rows), (SELECT count(*) FROM rejects), $ingested_at, $notes, $files,
    $rows_read;

-- name: count_rows
SELECT count(*) FROM rows;

-- name: row_numbers
SELECT row FROM rows ORDER BY row;

-- name: keep_rows
DELETE FROM rows WHERE row NOT IN (SELECT CAST(row AS BIGINT) FROM batch);

-- name: rows_window
SELECT row, data, snapshot, text_at, text_bytes FROM rows WHERE row BETWEEN ? AND ? ORDER BY row;

-- name: row_windows
-- The first and last rows of parts of so many bytes of some rows. (Sizes are taken in a part of their
-- own: what a window function computes with is held for all rows.)
SELECT min(row), max(row)
FROM (
    SELECT row, sum(size) OVER (ORDER BY row) AS upto
    FROM (
        SELECT row, coalesce(text_bytes, strlen(data)) AS size
        FROM rows WHERE row BETWEEN $first AND $last
    )
)
GROUP BY upto // $bytes ORDER BY 1;

-- name: long_texts_of_rows
SELECT max(text_at + text_bytes) FROM rows;

-- name: long_texts_of_requests
SELECT max(text_at + text_bytes) FROM requests WHERE stage = 0;

-- name: rows_by_number
SELECT row, data, snapshot, text_at, text_bytes FROM rows
WHERE row IN (SELECT unnest($rows)) ORDER BY row;

-- name: lengths
SELECT prompt_tokens, output_tokens FROM attempts
WHERE verdict = 'answered' AND list_contains($runs, run)
ORDER BY run DESC, checkpoint DESC LIMIT 5000;

-- name: snapshot_files
SELECT CASE WHEN count(*) > 0 THEN max_by(files, snapshot) END FROM snapshots;

-- name: reject_counts
-- Reasons are one if they differ only in numbers and in what stands in quotes.
SELECT
    first(reason ORDER BY file, line),
    count(*),
    list(line ORDER BY file, line)[:5],
    list(file ORDER BY file, line)[:5]
FROM rejects
GROUP BY regexp_replace(replace(reason, 'fields', 'field'), '''[^'']*''|[0-9]+', '#', 'g')
ORDER BY count(*) DESC, min(file), min(line)
LIMIT $most;

-- name: rejects_in_order
SELECT line, reason, raw, file FROM rejects WHERE (file, line) > (?, ?)
ORDER BY file, line LIMIT ?;

-- ---------------------------------------------------------------- plans, requests

-- name: current_plan
SELECT plans.plan, plans.snapshot, plans.digest FROM plans JOIN current_plan USING (plan);

-- name: stage_rendered
CREATE OR REPLACE TEMP TABLE rendered (
    row BIGINT, key UUID, kind VARCHAR, message VARCHAR, messages VARCHAR, body VARCHAR,
    text_at BIGINT, text_bytes BIGINT, text_characters BIGINT, sample INTEGER DEFAULT 0,
    samples INTEGER DEFAULT 1
);

-- name: stage
INSERT INTO rendered BY NAME SELECT * REPLACE (CAST(key AS UUID) AS key) FROM batch;

-- name: staged_repeats
-- Rows whose request was met before, with the number of the repetition (from 1), in row order. The
-- samples of one row have keys of their own, so each meets its like in other rows only.
SELECT row, sample, CAST(key AS VARCHAR) AS key, copy - 1 AS repetition
FROM (
    SELECT row, sample, key, row_number() OVER (PARTITION BY key ORDER BY row) AS copy
    FROM rendered WHERE key IS NOT NULL
)
WHERE copy > 1
ORDER BY row;

-- name: restage
UPDATE rendered SET key = CAST(batch.key AS UUID) FROM batch
WHERE rendered.row = batch.row AND rendered.sample = batch.sample;

-- name: plan_rows
INSERT INTO planned_rows
SELECT $plan, row, key, kind, message, sample, samples, 0 FROM rendered ORDER BY row, sample;

-- name: plan_requests
-- Requests that share a prefix run together: sorted by their rendered messages, once, and then
-- numbered as they come. Those of one adapter (the beginning of a body) come together before that:
-- none, then one after the other.
INSERT INTO requests
SELECT
    $plan, row_number() OVER () - 1, key, copies, messages, body, text_at, text_bytes,
    text_characters, 0, NULL, 0
FROM (
    SELECT key, copies, messages, body, text_at, text_bytes, text_characters
    FROM rendered
    JOIN (
        SELECT min(row) AS row, count(*) AS copies
        FROM rendered WHERE key IS NOT NULL GROUP BY key
    ) USING (row)
    ORDER BY
        CASE WHEN starts_with(body, '{"adapter":') THEN left(body, 45) END NULLS FIRST,
        messages, key
);

-- name: plan_sampled_requests
-- The same where rows have several samples.
INSERT INTO requests
SELECT
    $plan, row_number() OVER () - 1, key, copies, messages, body, text_at, text_bytes,
    text_characters, sample, row_share, 0
FROM (
    SELECT
        key, copies, messages, body, text_at, text_bytes, text_characters, sample, row_share
    FROM rendered
    JOIN (
        SELECT
            key, min(row) AS row, count(*) AS copies,
            CASE WHEN max(samples) > 1 THEN sum(1 / samples) END AS row_share
        FROM rendered WHERE key IS NOT NULL GROUP BY key
    ) USING (row, key)
    ORDER BY
        CASE WHEN starts_with(body, '{"adapter":') THEN left(body, 45) END NULLS FIRST,
        messages, key
);

-- name: stage_other_keys
-- The keys that the requests of rows would have with other limits for the answer.
CREATE OR REPLACE TEMP TABLE other_keys (row BIGINT, sample INTEGER, key UUID);

-- name: stage_other
INSERT INTO other_keys SELECT row, sample, CAST(key AS UUID) FROM batch;

-- name: run_specs_in_own_store
SELECT run, spec FROM own_store.runs ORDER BY run;

-- name: adopt_keys
-- Requests without an answer take the key under which theirs has ended by itself, within the limit
-- that they have now.
UPDATE rendered SET key = adopted.key
FROM (
    SELECT row, sample, min(key) AS key
    FROM other_keys JOIN {settled} USING (key)
    ANTI JOIN (
        SELECT key FROM {attempts} WHERE verdict <> 'answered' AND kind <> 'truncated'
    ) AS drawn_anew USING (key)
    WHERE verdict = 'answered' AND finish_reason = 'stop' AND output_tokens < $limit
    GROUP BY row, sample
) AS adopted
WHERE rendered.row = adopted.row AND rendered.sample = adopted.sample
    AND rendered.key NOT IN (SELECT key FROM {settled} WHERE verdict = 'answered');

-- name: pending_positions
SELECT position FROM pending ORDER BY position;

-- Characters of the messages of all that is pending.
-- ... and the rows that wait for it; of a row with several samples the share that these are.
-- name: pending_size
SELECT
    coalesce(sum(coalesce(text_characters, length(messages))), 0) AS characters,
    coalesce(sum(coalesce(row_share, copies)), 0) AS rows
FROM requests SEMI JOIN pending USING (position);

-- name: pending_tries
SELECT position, attempts, since_reopened, truncated, invalid, repeated, max_tokens, unfit
FROM pending WHERE attempts > 0;

-- name: failed_answers
-- Of requests the newest answer that broke its form or a rule, and the reason.
SELECT replace(CAST(key AS VARCHAR), '-', '') AS key, newest.answer AS answer, newest.message AS reason
FROM (
    SELECT key, arg_max({'answer': answer, 'message': message}, attempt) AS newest
    FROM attempts
    WHERE kind IN ('invalid_output', 'check_failed')
        AND answer IS NOT NULL
        AND list_contains(CAST($keys AS UUID[]), key)
    GROUP BY key
);

-- name: own_settled
CREATE OR REPLACE TEMP VIEW own_settled AS
SELECT tries.* FROM own_store.attempts AS tries
ANTI JOIN own_store.reopenings AS reopened USING (key, attempt)
WHERE verdict IN ('answered', 'dead');

-- name: own_settled_1
CREATE OR REPLACE TEMP VIEW own_settled AS
SELECT * FROM own_store.attempts WHERE verdict IN ('answered', 'dead');

-- name: has_field_orders
SELECT EXISTS (
    FROM duckdb_tables() WHERE database_name = ? AND table_name = 'field_orders'
);

-- name: first_messages
SELECT requests.messages, requests.plan, requests.stage, text_at, text_bytes
FROM requests JOIN planned_rows USING (key) ORDER BY planned_rows.row LIMIT 1;

-- name: stage_kept_in_own_store
-- But for dead letters of these kinds from these runs, which will be tried again, and for those
-- answers that were cut, or dead letters for it, that the next run sees otherwise.
CREATE OR REPLACE TEMP TABLE kept_in_own_store AS
SELECT key FROM own_settled
WHERE CASE
    WHEN finish_reason IN ('length', 'context')
        AND (verdict = 'answered' OR kind IN ('truncated', 'context_full'))
        AND (verdict = 'answered') <> $keeps_cut THEN FALSE
    WHEN verdict = 'answered' THEN TRUE
    ELSE NOT (list_contains($kinds, kind) AND list_contains($runs, run))
END;

-- name: settled_in_own_store
SELECT count(*), coalesce(sum(coalesce(row_share, copies)), 0) FROM requests
SEMI JOIN kept_in_own_store USING (key);

-- name: requests_window
SELECT
    position, replace(CAST(key AS VARCHAR), '-', '') AS key, copies, messages, body, sample,
    coalesce(row_share, copies) AS row_share, plan, stage, text_at, text_bytes
FROM requests
WHERE position BETWEEN ? AND ? ORDER BY position;

-- name: requests_at
SELECT
    position, replace(CAST(key AS VARCHAR), '-', '') AS key, copies, messages, body, sample,
    coalesce(row_share, copies) AS row_share, plan, stage, text_at, text_bytes
FROM requests
WHERE position IN (SELECT unnest($positions)) ORDER BY position;

-- name: stage_pending_work
-- Requests of the plan, the first row of each, and the bytes of its messages.
CREATE OR REPLACE TEMP TABLE pending_work AS
SELECT position, key, row, coalesce(text_bytes, strlen(messages)) AS bytes FROM requests
JOIN (SELECT key, min(row) AS row FROM planned_rows WHERE key IS NOT NULL GROUP BY key) USING (key);

-- name: drop_settled_in_own_store
DELETE FROM pending_work WHERE key IN (SELECT key FROM kept_in_own_store);

-- name: asked_in_own_store
-- Of the requests to do: those that were planned before, and those that read alike under other keys.
SELECT
    count(*) FILTER (known.key IS NOT NULL),
    count(*) FILTER (known.key IS NULL
        AND hash(requests.messages) IN (SELECT hash(messages) FROM own_store.requests))
FROM requests
ANTI JOIN kept_in_own_store USING (key)
LEFT JOIN (SELECT DISTINCT key FROM own_store.requests) AS known ON known.key = requests.key;

-- name: columns_in_own_store
SELECT columns FROM own_store.snapshots ORDER BY snapshot DESC LIMIT 1;

-- name: engine_runs_in_own_store
SELECT
    runs.run, runs.spec,
    max(TRY_CAST(starts.description ->> '$.max_model_len' AS BIGINT)) AS tokens
FROM own_store.runs AS runs JOIN own_store.engine_starts AS starts USING (run)
GROUP BY runs.run, runs.spec ORDER BY runs.run;

-- name: work_positions
SELECT position FROM pending_work ORDER BY position;

-- name: work_bytes
SELECT bytes FROM pending_work ORDER BY position;

-- name: work_rows
SELECT row FROM pending_work ORDER BY row;

-- name: first_row_of
-- Id and line of the first row that a request answers.
SELECT rows.id, rows.line
FROM requests JOIN planned_rows USING (key) JOIN rows USING (row)
WHERE position = ? ORDER BY rows.row LIMIT 1;

-- name: rows_at
SELECT row, data, snapshot, text_at, text_bytes FROM rows
WHERE row IN (SELECT unnest($rows)) ORDER BY row;

-- name: answer_lengths
-- Of the newest answers.
SELECT output_tokens FROM attempts WHERE verdict = 'answered'
ORDER BY run DESC, checkpoint DESC LIMIT $most;

-- name: answer_lengths_in_own_store
SELECT output_tokens FROM own_store.attempts WHERE verdict = 'answered'
ORDER BY run DESC, checkpoint DESC LIMIT $most;

-- name: last_engine_in_own_store
SELECT description FROM own_store.engine_starts ORDER BY rowid DESC LIMIT 1;

-- name: spent_in_own_store
-- Of the newest requests that these runs settled and computed something for: tokens of the prompt,
-- output tokens of all tries, and how many tries these were.
WITH newest AS (
    SELECT key FROM own_store.attempts
    WHERE verdict <> 'retry' AND output_tokens > 0 AND list_contains($runs, run)
    ORDER BY run DESC, checkpoint DESC LIMIT $most
)
SELECT max(prompt_tokens), CAST(sum(output_tokens) AS BIGINT), count(*)
FROM own_store.attempts SEMI JOIN newest USING (key)
WHERE list_contains($runs, run)
GROUP BY key ORDER BY max(run) DESC, max(checkpoint) DESC, key;

-- name: runs_in_own_store
-- What each run tried and took; of a killed one there is no end. An older store has fewer columns.
SELECT
    runs.*,
    run_ends.* EXCLUDE (run),
    (SELECT telemetry FROM own_store.checkpoints AS kept WHERE kept.run = runs.run
        ORDER BY checkpoint DESC LIMIT 1) AS telemetry,
    (SELECT count(*) FROM own_store.engine_starts AS starts
        WHERE starts.run = runs.run AND (starts.description ->> '$.kept_from') IS NULL) AS starts,
    coalesce(tries.attempts, 0) AS attempts
FROM own_store.runs AS runs
LEFT JOIN own_store.run_ends AS run_ends USING (run)
LEFT JOIN (
    SELECT run, count(*) AS attempts FROM own_store.attempts GROUP BY run
) AS tries USING (run)
ORDER BY runs.run;

-- ---------------------------------------------------------------- runs, attempts, checkpoints

-- name: count_states
-- `cut`: answers that were cut and count as answers all the same.
SELECT
    state,
    count(*) AS rows,
    count(DISTINCT key) AS requests,
    count(*) FILTER (state = 'answered' AND finish_reason IN ('length', 'context')) AS cut
FROM row_states GROUP BY state;

-- name: answered_before
-- Rows of the current plan whose requests were answered before this run.
SELECT CAST(coalesce(round(sum(coalesce(row_share, copies))), 0) AS BIGINT) FROM requests
JOIN current_plan USING (plan)
SEMI JOIN (SELECT key FROM settled WHERE verdict = 'answered' AND run < $run) AS answered USING (key)
ANTI JOIN escalations USING (key);

-- name: engine_runs
-- The longest sequence that the engines of each run took, where they reported it.
SELECT
    runs.run, runs.spec,
    max(TRY_CAST(engine_starts.description ->> '$.max_model_len' AS BIGINT)) AS tokens
FROM runs JOIN engine_starts USING (run)
GROUP BY runs.run, runs.spec ORDER BY runs.run;

-- name: cut_attempts
-- Those that settle a request of the current plan by an answer that was cut: as a dead letter, or
-- as an answer, of which the one is to be the other by now.
SELECT settled.key, settled.attempt, coalesce(row_share, copies) AS rows
FROM settled
JOIN requests USING (key)
JOIN current_plan ON current_plan.plan = requests.plan
WHERE settled.finish_reason IN ('length', 'context')
    AND (verdict = 'answered' OR kind IN ('truncated', 'context_full'))
    AND (verdict = 'answered') <> $keeps_cut
    AND settled.key NOT IN (SELECT key FROM escalations)
ORDER BY requests.position;

-- name: dead_attempts
-- Those that settle a request of the current plan, with the rows that each one fails.
SELECT
    settled.key, settled.attempt, coalesce(row_share, copies) AS rows, settled.output_tokens
FROM settled
JOIN requests USING (key)
JOIN current_plan ON current_plan.plan = requests.plan
WHERE settled.verdict = 'dead'
    AND (len($kinds) = 0 OR list_contains($kinds, settled.kind))
    AND (len($runs) = 0 OR list_contains($runs, settled.run))
    AND settled.key NOT IN (SELECT key FROM escalations)
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
-- The `wasted` tokens are those of the failed attempts before the last one.
CREATE OR REPLACE TEMP TABLE results AS
SELECT
    row_states.*,
    coalesce(wasted_prompt_tokens, 0) AS wasted_prompt_tokens,
    coalesce(wasted_cached_tokens, 0) AS wasted_cached_tokens,
    coalesce(wasted_output_tokens, 0) AS wasted_output_tokens
FROM row_states
LEFT JOIN (
    SELECT
        row,
        CAST(sum(prompt_tokens) AS BIGINT) AS wasted_prompt_tokens,
        CAST(sum(cached_tokens) AS BIGINT) AS wasted_cached_tokens,
        CAST(sum(output_tokens) AS BIGINT) AS wasted_output_tokens
    FROM attempts
    LEFT JOIN (SELECT DISTINCT key, attempt, TRUE AS is_reopened FROM reopenings) AS reopened
        USING (key, attempt)
    JOIN planned_rows USING (key)
    WHERE (verdict = 'retry' OR is_reopened) AND row BETWEEN $first AND $last
    GROUP BY row
) AS failed_attempts USING (row)
WHERE row BETWEEN $first AND $last AND list_contains($states, state)
ORDER BY row;

-- name: most_samples
SELECT coalesce(max(samples), 1) FROM planned_rows;

-- name: results_window
SELECT
    rows.row, rows.file, rows.line, rows.id, rows.data, rows.snapshot, rows.text_at,
    rows.text_bytes,
    replace(CAST(results.key AS VARCHAR), '-', '') AS request,
    results.* EXCLUDE (row, key)
FROM rows JOIN results USING (row)
WHERE rows.row BETWEEN $first AND $last AND results.row BETWEEN $first AND $last
ORDER BY rows.row;

-- name: collect_answers
-- As `collect_results`, of answered rows and no more than their answers.
CREATE OR REPLACE TEMP TABLE collected_answers AS
SELECT row, answer FROM row_states
WHERE row BETWEEN $first AND $last AND state = 'answered'
ORDER BY row;

-- name: answers_window
SELECT data, answer, snapshot, text_at, text_bytes
FROM rows JOIN collected_answers USING (row)
WHERE rows.row BETWEEN $first AND $last AND collected_answers.row BETWEEN $first AND $last
ORDER BY rows.row;

-- name: collect_results_of_rows
-- The same for some rows; their tokens of failed attempts are not asked for.
CREATE OR REPLACE TEMP TABLE results AS
SELECT
    row_states.*, 0 AS wasted_prompt_tokens, 0 AS wasted_cached_tokens, 0 AS wasted_output_tokens
FROM row_states WHERE row IN (SELECT unnest($rows)) ORDER BY row;

-- ---------------------------------------------------------------- ranks

-- name: stage_request_groups
CREATE OR REPLACE TEMP TABLE request_groups (key UUID, name UUID);

-- name: stage_request_group
INSERT INTO request_groups SELECT CAST(key AS UUID), CAST(md5(name) AS UUID) FROM batch;

-- name: group_rows_of_requests
CREATE OR REPLACE TEMP TABLE row_groups AS
SELECT row, name FROM planned_rows JOIN current_plan USING (plan) JOIN request_groups USING (key);

-- name: stage_row_groups
CREATE OR REPLACE TEMP TABLE row_groups (row BIGINT, name UUID);

-- name: stage_row_group
INSERT INTO row_groups SELECT row, CAST(md5(name) AS UUID) FROM batch;

-- name: rank_rows
CREATE OR REPLACE TEMP TABLE row_ranks AS
SELECT row, name, row_number() OVER (PARTITION BY name ORDER BY score DESC, row) AS rank
FROM (
    SELECT row, name, CAST(json_extract_string(answer, '$.response') AS DOUBLE) AS score
    FROM row_states JOIN row_groups USING (row)
    WHERE state = 'answered'
);

-- name: rank_counts
SELECT
    count(DISTINCT name) AS groups,
    count(*) FILTER (rank <= coalesce($top, rank)) AS kept,
    count(*) FILTER (rank > $top) AS others
FROM row_ranks;

-- name: keep_best
DELETE FROM row_ranks WHERE rank > $top;

-- name: ranks_window
SELECT row, rank FROM row_ranks WHERE row >= ? AND row < ?;

-- ---------------------------------------------------------------- report

-- name: duplicates_answered
-- Rows that have the answer of another.
SELECT CAST(round(coalesce(sum((copies - 1) * coalesce(row_share / copies, 1)), 0)) AS BIGINT)
FROM requests JOIN current_plan USING (plan) JOIN settled USING (key)
ANTI JOIN escalations USING (key)
WHERE copies > 1 AND verdict = 'answered';

-- name: plan_counts
SELECT
    (SELECT count(*) FROM planned_rows WHERE sample = 0) AS rows,
    (SELECT count(*) FROM planned_rows WHERE sample = 0 AND key IS NOT NULL) AS asked,
    (SELECT coalesce(max(samples), 1) FROM planned_rows) AS samples,
    (SELECT count(*) FROM requests) AS requests,
    (SELECT CAST(round(coalesce(sum((copies - 1) * coalesce(row_share / copies, 1)), 0)) AS BIGINT)
        FROM requests ANTI JOIN escalations USING (key)) AS duplicates,
    (SELECT count(*) FROM planned_rows
        WHERE key IS NOT NULL AND message IS NOT NULL AND sample = 0) AS control;

-- name: duplicate_tokens
-- Tokens that answered rows of the current plan did not cost, because they share a request, by
-- the run that answered them.
SELECT
    settled.run,
    CAST(sum((copies - 1) * prompt_tokens) AS BIGINT) AS prompt_tokens,
    CAST(sum((copies - 1) * output_tokens) AS BIGINT) AS output_tokens
FROM requests
JOIN current_plan USING (plan)
JOIN settled USING (key)
WHERE copies > 1 AND verdict = 'answered'
GROUP BY settled.run ORDER BY settled.run;

-- name: first_run_of
-- The first run of the process of a run.
SELECT coalesce((SELECT first_run FROM runs WHERE run = $run), $run);

-- name: answered_tokens
-- Tokens of the requests of the current plan that were answered, by the run that answered them.
-- What rows that share one saved is in `duplicate_tokens`.
SELECT
    settled.run,
    CAST(coalesce(sum(prompt_tokens), 0) AS BIGINT) AS prompt_tokens,
    CAST(coalesce(sum(output_tokens), 0) AS BIGINT) AS output_tokens
FROM requests
JOIN current_plan USING (plan)
JOIN settled USING (key)
WHERE verdict = 'answered'
GROUP BY settled.run ORDER BY settled.run;

-- name: failure_counts
SELECT kind, count(*) AS rows, any_value(message ORDER BY row) AS example
FROM row_states WHERE state = 'failed' GROUP BY kind ORDER BY rows DESC, kind;

-- name: skip_counts
SELECT coalesce(message, '') AS reason, count(*) AS rows
FROM row_states WHERE state = 'skipped' GROUP BY reason ORDER BY rows DESC, reason
LIMIT $most;

-- name: run_summaries
SELECT
    runs.run, runs.started_at, runs.started_seconds, runs.pid, runs.host, runs.version,
    runs.reused, runs.spec,
    run_ends.ended_at, run_ends.ended_seconds, run_ends.reason, run_ends.exit_code,
    run_ends.timings,
    last.committed_at, last.committed_seconds, last.telemetry,
    (SELECT count(*) FROM checkpoints WHERE checkpoints.run = runs.run) AS checkpoints
FROM runs
LEFT JOIN run_ends USING (run)
LEFT JOIN (
    SELECT * FROM checkpoints
    QUALIFY row_number() OVER (PARTITION BY run ORDER BY checkpoint DESC) = 1
) AS last ON last.run = runs.run
ORDER BY runs.run;

-- name: run_tokens
SELECT
    run,
    count(*) AS attempts,
    count(*) FILTER (attempt > 1) AS retries,
    count(*) FILTER (verdict <> 'answered') AS failed,
    count(*) FILTER (told) AS told,
    count(*) FILTER (told AND verdict = 'answered') AS told_answered,
    sum(cached_tokens) FILTER (attempt = 1) / nullif(sum(prompt_tokens) FILTER (attempt = 1), 0)
        AS measured_hits,
    sum(prompt_tokens) AS prompt_tokens,
    sum(cached_tokens) AS cached_tokens,
    sum(output_tokens) AS output_tokens,
    coalesce(sum(prompt_tokens) FILTER (verdict <> 'answered'), 0) AS wasted_prompt_tokens,
    coalesce(sum(cached_tokens) FILTER (verdict <> 'answered'), 0) AS wasted_cached_tokens,
    coalesce(sum(output_tokens) FILTER (verdict <> 'answered'), 0) AS wasted_output_tokens
FROM attempts GROUP BY run ORDER BY run;

-- name: reasoning_tokens
SELECT CAST(coalesce(sum(reasoning_tokens), 0) AS BIGINT) FROM attempts;

-- name: run_rows
-- Rows by the run that settled them. How many shared a request is known of the current plan only.
SELECT run, CAST(round(sum(coalesce(row_share, copies, 1))) AS BIGINT) AS rows
FROM attempts LEFT JOIN requests USING (key)
WHERE verdict <> 'retry' GROUP BY run;

-- name: runs_of_newest_snapshot
SELECT run FROM runs JOIN plans USING (plan)
WHERE snapshot = (SELECT max(snapshot) FROM snapshots);

-- name: engine_starts
-- As they were recorded: a wall clock that is set back would put them into another order.
SELECT run, began_at, began_seconds, ready_at, ready_seconds, description
FROM engine_starts ORDER BY run, rowid;

-- name: engine_deaths
SELECT run, died_at, died_seconds, reason, in_flight FROM engine_deaths ORDER BY run, rowid;

-- name: forecasts
SELECT run, forecast FROM forecasts ORDER BY run, rowid;

-- name: rows_by_attempts
-- Settled rows of the current plan by the attempt that settled them.
SELECT
    coalesce(attempt, 0) AS attempts,
    count(*) FILTER (state = 'answered') AS answered,
    count(*) FILTER (state = 'failed') AS failed
FROM row_states WHERE state IN ('answered', 'failed') GROUP BY attempts ORDER BY attempts;

-- ---------------------------------------------------------------- details of a report

-- name: answer_lengths_counted
-- How many answers of the current plan have a prompt, or an output, of so many tokens.
SELECT prompt_tokens, output_tokens, count(*) AS answers
FROM settled
SEMI JOIN (SELECT key FROM requests JOIN current_plan USING (plan)) AS planned USING (key)
ANTI JOIN escalations USING (key)
WHERE verdict = 'answered'
GROUP BY GROUPING SETS ((prompt_tokens), (output_tokens));

-- name: failure_examples
-- Of each kind a few rows, with different messages as long as there are some.
SELECT failed.kind, rows.id, rows.line, failed.message
FROM (
    SELECT row, kind, message, row_number() OVER (PARTITION BY kind ORDER BY again, row) AS place
    FROM (
        SELECT
            row,
            kind,
            left(message, 1000) AS message,
            row_number() OVER (PARTITION BY kind, message ORDER BY row) AS again
        FROM row_states WHERE state = 'failed'
    )
    QUALIFY place <= $most
) AS failed
JOIN rows USING (row)
ORDER BY failed.kind, failed.place;

-- name: timeline_checkpoints
-- When they were, and the engine's load at that time.
SELECT
    checkpoints.checkpoint, checkpoints.committed_at, checkpoints.committed_seconds,
    coalesce(CAST(checkpoints.telemetry ->> '$.cache_usage' AS DOUBLE), 0) AS cache_usage,
    coalesce(CAST(checkpoints.telemetry ->> '$.running' AS DOUBLE), 0) AS running
FROM checkpoints WHERE run = $run ORDER BY checkpoint;

-- name: timeline_tokens
-- What the checkpoints of a run hold. A request that has left the plan counts as one row.
SELECT
    checkpoint,
    CAST(sum(attempts.prompt_tokens) AS BIGINT) AS prompt_tokens,
    CAST(sum(attempts.output_tokens) AS BIGINT) AS output_tokens,
    CAST(round(coalesce(
        sum(coalesce(row_share, requests.copies, 1)) FILTER (verdict <> 'retry'), 0
    )) AS BIGINT) AS rows
FROM attempts LEFT JOIN requests USING (key)
WHERE run = $run GROUP BY checkpoint;

-- name: timeline_chunk_size
SELECT coalesce(CAST(spec ->> '$.run.chunk_size' AS BIGINT), 4096) AS chunk_size,
    (SELECT count(*) FROM requests) AS requests
FROM runs WHERE run = $run;

-- name: timeline_chunks
-- Parts of the planned order, and the checkpoints in which a run settled their requests.
SELECT
    requests.position // $size AS part,
    min(attempts.checkpoint) AS first_checkpoint,
    max(attempts.checkpoint) AS last_checkpoint,
    count(DISTINCT attempts.key) AS requests,
    count(*) FILTER (attempts.verdict = 'dead') AS failed
FROM attempts
JOIN requests USING (key)
WHERE attempts.run = $run
GROUP BY part ORDER BY part;

-- ---------------------------------------------------------------- who used what

-- name: stage_run_rates
-- The worth of the tokens of a run: device seconds of a computed prompt token and of an output
-- token, and money for those two and for a cached prompt token; and the worth of an
-- attempt by itself, device seconds and money, where there are no tokens.
CREATE OR REPLACE TEMP TABLE run_rates AS
SELECT
    unnest($runs) AS run,
    unnest($prompt_seconds) AS prompt_seconds,
    unnest($output_seconds) AS output_seconds,
    unnest($computed_cost) AS computed_cost,
    unnest($cached_cost) AS cached_cost,
    unnest($output_cost) AS output_cost,
    unnest($attempt_seconds) AS attempt_seconds,
    unnest($attempt_cost) AS attempt_cost;

-- name: stage_attempt_shares
CREATE OR REPLACE TEMP VIEW attempt_shares AS
SELECT
    attempts.key,
    run,
    attempts.prompt_tokens - attempts.cached_tokens AS computed,
    attempts.output_tokens AS output,
    computed * prompt_seconds + output * output_seconds + attempt_seconds AS seconds,
    computed * computed_cost + attempts.cached_tokens * cached_cost + output * output_cost
        + attempt_cost AS cost
FROM attempts
JOIN run_rates USING (run);

-- name: stage_used
CREATE OR REPLACE TEMP TABLE used (
    by_values VARCHAR[], row_count BIGINT, pending_count BIGINT, computed DOUBLE, output DOUBLE,
    seconds DOUBLE, cost DOUBLE
);

-- name: add_used
-- Of some rows, but for skipped ones, by the values that the JSON pointers name. A request that rows
-- share is divided evenly among them.
INSERT INTO used
WITH
some_rows AS (
    SELECT
        json_extract_string(data, $pointers) AS by_values, planned.row, planned.key,
        sample, planned.kind IS NOT NULL AS is_unmade
    FROM rows
    JOIN (
        SELECT plan, row, key, kind, sample FROM planned_rows
        -- The former stages of a row are of its cost, and no row of their own.
        UNION ALL SELECT plan, row, key, NULL, -1 FROM escalations
    ) AS planned USING (row)
    JOIN current_plan USING (plan)
    WHERE rows.row BETWEEN $first AND $last AND planned.row BETWEEN $first AND $last
        AND planned.kind IS DISTINCT FROM 'skipped'
),
by_request AS (
    SELECT
        key,
        sum(computed) AS computed, sum(output) AS output, sum(seconds) AS seconds,
        sum(cost) AS cost
    FROM attempt_shares
    SEMI JOIN some_rows USING (key)
    GROUP BY key
),
some_settled AS (SELECT key, TRUE AS is_settled FROM settled SEMI JOIN some_rows USING (key))
SELECT
    by_values,
    -- With several samples a row is pending until all of them have settled.
    count(*) FILTER (sample = 0)
        - count(DISTINCT row) FILTER (NOT is_unmade AND is_settled IS NULL),
    count(DISTINCT row) FILTER (NOT is_unmade AND is_settled IS NULL),
    coalesce(sum(computed / copies), 0),
    coalesce(sum(output / copies), 0),
    coalesce(sum(seconds / copies), 0),
    coalesce(sum(cost / copies), 0)
FROM some_rows
LEFT JOIN some_settled USING (key)
LEFT JOIN (SELECT by_request.*, copies FROM by_request JOIN requests USING (key)) USING (key)
GROUP BY by_values;

-- name: used_most
-- The groups that used most.
SELECT
    by_values, CAST(sum(row_count) AS BIGINT) AS row_count,
    CAST(sum(pending_count) AS BIGINT) AS pending_count, sum(computed) AS computed,
    sum(output) AS output, sum(seconds) AS seconds, sum(cost) AS cost
FROM used
GROUP BY by_values
ORDER BY cost DESC, seconds DESC, row_count DESC, pending_count DESC, by_values
LIMIT $most;

-- name: used_in_all
SELECT
    coalesce(CAST(sum(row_count) AS BIGINT), 0) AS row_count,
    coalesce(CAST(sum(pending_count) AS BIGINT), 0) AS pending_count,
    coalesce(sum(computed), 0) AS computed, coalesce(sum(output), 0) AS output,
    coalesce(sum(seconds), 0) AS seconds, coalesce(sum(cost), 0) AS cost
FROM used;

-- name: used_by_no_row
-- Of attempts whose requests no row of the current plan has, by whether their run asked in another
-- way (`$former`).
SELECT
    list_contains($former, run) AS is_former,
    CAST(sum(computed) AS DOUBLE) AS computed, CAST(sum(output) AS DOUBLE) AS output,
    sum(seconds) AS seconds, sum(cost) AS cost
FROM attempt_shares
ANTI JOIN (SELECT requests.key FROM requests JOIN current_plan USING (plan)) AS present USING (key)
GROUP BY is_former;

-- name: settled_rows
-- Rows of the current plan whose requests are settled.
SELECT coalesce(sum(coalesce(row_share, copies)), 0) FROM requests
JOIN current_plan USING (plan)
SEMI JOIN settled USING (key)
ANTI JOIN escalations USING (key);

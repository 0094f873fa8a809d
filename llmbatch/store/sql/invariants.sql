-- What must hold at every commit. Each statement returns one number: the violations found.

-- name: every_record_is_a_row_or_a_reject
-- Rows carry their ordinal in the input; the ordinals they leave out are those of the rejects, and
-- of rows that were not chosen, or are other shards'.
SELECT (count(*) - count(DISTINCT row)) + count(*) FILTER (row > (
    (SELECT count(*) FROM rows)
    + coalesce(
        (SELECT rejects FROM shares WHERE snapshot = (SELECT max(snapshot) FROM snapshots)),
        (SELECT count(*) FROM rejects)
    )
    + coalesce((SELECT rows_read - row_count FROM snapshots ORDER BY snapshot DESC LIMIT 1), 0)
))
FROM rows;

-- name: only_the_newest_snapshot_has_rows
SELECT count(*) FROM (SELECT snapshot FROM rows UNION ALL SELECT snapshot FROM rejects)
WHERE snapshot <> (SELECT max(snapshot) FROM snapshots);

-- name: snapshot_counts_match_its_rows
SELECT count(*) FROM (SELECT * FROM snapshots ORDER BY snapshot DESC LIMIT 1)
WHERE row_count <> (SELECT count(*) FROM rows)
    OR reject_count <> (SELECT count(*) FROM rejects);

-- name: every_row_is_planned
-- A new snapshot has no plan yet: then nothing at all is planned.
SELECT count(*) FROM (SELECT row FROM rows WHERE EXISTS (SELECT 1 FROM current_plan)) AS held
FULL JOIN planned_rows USING (row)
WHERE held.row IS NULL OR planned_rows.row IS NULL;

-- name: no_row_is_planned_twice
SELECT count(*) FILTER (sample = 0) - count(DISTINCT row) FROM planned_rows;

-- name: samples_count_from_zero_without_gaps
-- ... and only a row that has a request has several.
SELECT count(*) FROM (
    SELECT row FROM planned_rows GROUP BY row
    HAVING count(*) <> max(samples) OR max(samples) <> min(samples) OR min(sample) <> 0
        OR max(sample) <> max(samples) - 1 OR count(DISTINCT sample) <> count(*)
        OR (count(*) > 1 AND count(key) <> count(*))
);

-- name: every_planned_key_has_one_request
-- ... which counts its rows and their samples truly.
SELECT count(*) FROM (
    SELECT key, count(*) AS copies, sum(1 / samples) AS row_share
    FROM (
        SELECT key, samples FROM planned_rows WHERE key IS NOT NULL
        UNION ALL SELECT key, 1 FROM escalations
    )
    GROUP BY key
) AS wanted
FULL JOIN (
    SELECT
        key, count(*) AS requests, sum(copies) AS copies,
        sum(coalesce(row_share, copies)) AS row_share
    FROM requests GROUP BY key
) AS held USING (key)
WHERE held.requests IS DISTINCT FROM 1 OR held.copies IS DISTINCT FROM wanted.copies
    OR abs(held.row_share - wanted.row_share) > 1e-9 * wanted.copies;

-- name: a_row_came_to_its_stage_through_all_before
SELECT count(*) FROM (SELECT row, stage FROM planned_rows WHERE sample = 0) AS held
FULL JOIN (
    SELECT row, count(DISTINCT stage) AS passed, count(*) AS lines, max(stage) + 1 AS stage
    FROM escalations GROUP BY row
) AS former USING (row)
WHERE held.stage IS DISTINCT FROM coalesce(former.stage, 0) OR lines <> passed
    OR passed <> former.stage;

-- name: a_request_is_of_the_stage_of_its_rows
SELECT count(*) FROM (
    SELECT key, stage FROM planned_rows WHERE key IS NOT NULL
    UNION ALL SELECT key, stage FROM escalations
) AS wanted
JOIN requests USING (key) WHERE requests.stage <> wanted.stage;

-- name: only_settled_requests_escalate
-- ... and never from the last stage.
SELECT count(*) FROM escalations
LEFT JOIN (SELECT DISTINCT key, TRUE AS is_settled FROM settled) AS done USING (key)
LEFT JOIN cascade_stages USING (plan, stage)
WHERE is_settled IS NULL OR is_last IS NULL OR is_last;

-- name: positions_count_from_zero_without_gaps
SELECT abs(count(*) - coalesce(max(position) + 1, 0)) + (count(*) - count(DISTINCT position))
FROM requests;

-- name: a_request_is_settled_at_most_once
SELECT count(*) - count(DISTINCT key) FROM settled;

-- name: nothing_is_tried_after_it_settled
SELECT count(*) FROM attempts JOIN settled USING (key)
WHERE attempts.attempt > settled.attempt;

-- name: attempts_count_from_one_without_gaps
SELECT count(*) FROM (
    SELECT key FROM attempts GROUP BY key
    HAVING count(*) <> max(attempt) OR count(*) <> count(DISTINCT attempt)
);

-- name: attempts_match_their_checkpoints
SELECT count(*) FROM checkpoints
FULL JOIN (
    SELECT run, checkpoint, count(*) AS attempts FROM attempts GROUP BY run, checkpoint
) AS held USING (run, checkpoint)
WHERE checkpoints.attempts IS DISTINCT FROM held.attempts;

-- name: checkpoints_belong_to_runs
SELECT count(*) FROM checkpoints ANTI JOIN runs USING (run);

-- name: checkpoints_count_from_one_without_gaps
SELECT count(*) FROM (
    SELECT run FROM checkpoints GROUP BY run
    HAVING count(*) <> max(checkpoint) OR count(*) <> count(DISTINCT checkpoint)
);

-- name: requests_belong_to_the_newest_plan
SELECT count(*) FROM (
    SELECT plan FROM requests UNION ALL SELECT plan FROM planned_rows
    UNION ALL SELECT plan FROM escalations UNION ALL SELECT plan FROM cascade_stages
)
WHERE plan <> (SELECT max(plan) FROM plans);

-- name: ends_and_engine_starts_belong_to_runs
SELECT count(*) FROM (SELECT run FROM run_ends UNION ALL SELECT run FROM engine_starts) AS noted
ANTI JOIN runs USING (run);

-- name: engine_deaths_belong_to_runs
SELECT count(*) FROM engine_deaths ANTI JOIN runs USING (run);

-- name: only_dead_attempts_are_reopened
-- ... and answers that were cut, or break a rule, as a later attempt says; each of them once.
SELECT (SELECT count(*) FROM reopenings) - (
    SELECT count(DISTINCT (key, attempt)) FROM reopenings
    SEMI JOIN (
        FROM attempts
        WHERE verdict = 'dead'
            OR (verdict = 'answered' AND finish_reason IN ('length', 'context'))
            OR (verdict = 'answered' AND EXISTS (
                SELECT 1 FROM attempts AS later
                WHERE later.key = attempts.key AND later.kind = 'check_failed'
                    AND later.attempt = attempts.attempt + 1
            ))
    ) AS dead USING (key, attempt)
);

-- name: a_commit_is_counted_once
SELECT count(*) - count(DISTINCT number) FROM commits;

-- name: a_run_ends_at_most_once
SELECT count(*) - count(DISTINCT run) FROM run_ends;

-- name: every_record_has_one_state
-- rows in = answered + failed + skipped + pending + rejected, of the newest snapshot once it is planned.
SELECT coalesce(abs(
    any_value(row_count + reject_count)
    - (SELECT count(*) FROM row_states) - (SELECT count(*) FROM rejects)
), 0)
FROM snapshots JOIN current_plan USING (snapshot);

-- name: every_row_is_answered_failed_skipped_or_pending
SELECT abs(
    (SELECT count(*) FROM planned_rows WHERE sample = 0)
    - (SELECT count(*) FROM row_states WHERE state IN ('answered', 'failed', 'skipped', 'pending'))
);

-- name: nothing_is_defined_in_the_file_but_tables
-- A function could take the place of one of DuckDB's.
SELECT count(*) FROM (
    SELECT database_name FROM duckdb_functions()
    UNION ALL SELECT database_name FROM duckdb_types() WHERE NOT internal
    UNION ALL SELECT database_name FROM duckdb_sequences()
    UNION ALL SELECT database_name FROM duckdb_indexes()
    UNION ALL SELECT database_name FROM duckdb_schemas() WHERE NOT internal
    UNION ALL SELECT database_name FROM duckdb_views() WHERE NOT internal
)
WHERE database_name = 'job';

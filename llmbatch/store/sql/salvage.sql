-- A new store of the records that were found in a damaged store and its damaged journal, in the
-- order of the statements. `found_TABLE` holds them, some twice. What was lost leaves gaps: tries
-- and checkpoints are counted anew, and what others refer to is put in its place.

-- name: numbered
-- Tries, each with its new number; those before an answer only.
CREATE TEMP TABLE numbered AS
SELECT
    *,
    row_number() OVER (PARTITION BY key ORDER BY attempt) AS place,
    lead(attempt) OVER (PARTITION BY key ORDER BY attempt) IS NOT NULL AS is_followed
FROM (
    SELECT * FROM (
        SELECT * FROM found_attempts
        QUALIFY row_number() OVER (PARTITION BY key, attempt) = 1
    )
    QUALIFY count(*) FILTER (verdict = 'answered') OVER (
        PARTITION BY key ORDER BY attempt ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) = 0
);

-- name: settling
CREATE TEMP TABLE settling AS
SELECT
    run, checkpoint, count(*) AS held,
    row_number() OVER (PARTITION BY run ORDER BY checkpoint) AS place
FROM numbered GROUP BY run, checkpoint;

-- name: checkpoints
INSERT INTO checkpoints BY NAME
SELECT
    noted.* EXCLUDE (run, checkpoint, attempts, committed_at, telemetry),
    settling.run, settling.place AS checkpoint, settling.held AS attempts,
    coalesce(
        noted.committed_at,
        max(noted.committed_at) OVER (PARTITION BY settling.run ORDER BY settling.place),
        begun.started_at,
        TIMESTAMP '1970-01-01'
    ) AS committed_at,
    coalesce(noted.telemetry, '{}') AS telemetry
FROM settling
LEFT JOIN (
    FROM found_checkpoints QUALIFY row_number() OVER (PARTITION BY run, checkpoint) = 1
) AS noted ON noted.run = settling.run AND noted.checkpoint = settling.checkpoint
LEFT JOIN (SELECT run, min(started_at) AS started_at FROM found_runs GROUP BY run) AS begun
    ON begun.run = settling.run
ORDER BY settling.run, settling.place;

-- name: attempts
INSERT INTO attempts BY NAME
SELECT
    numbered.* EXCLUDE (attempt, checkpoint, place, is_followed),
    numbered.place AS attempt, settling.place AS checkpoint
FROM numbered JOIN settling USING (run, checkpoint)
ORDER BY numbered.run, settling.place, numbered.place;

-- name: runs
INSERT INTO runs BY NAME
SELECT * FROM (FROM found_runs QUALIFY row_number() OVER (PARTITION BY run) = 1) ORDER BY run;

-- name: lost_runs
-- A run whose record is lost is known by its answers only; it gets the settings of the last known
-- run.
INSERT INTO runs (run, plan, started_at, pid, host, version, spec, reused)
SELECT
    run,
    coalesce((SELECT max(plan) FROM found_runs), 1),
    min(committed_at),
    0,
    'unknown',
    'unknown',
    coalesce((SELECT arg_max(spec, run) FROM found_runs), '{}'),
    0
FROM checkpoints ANTI JOIN found_runs USING (run) GROUP BY run ORDER BY run;

-- name: engine_starts
INSERT INTO engine_starts BY NAME
SELECT DISTINCT * FROM found_engine_starts SEMI JOIN runs USING (run) ORDER BY run, began_at;

-- name: engine_deaths
INSERT INTO engine_deaths BY NAME
SELECT DISTINCT * FROM found_engine_deaths SEMI JOIN runs USING (run) ORDER BY run, died_at;

-- name: forecasts
INSERT INTO forecasts BY NAME
SELECT DISTINCT * FROM found_forecasts SEMI JOIN runs USING (run) ORDER BY run, made_at;

-- name: run_ends
INSERT INTO run_ends BY NAME
SELECT * FROM (FROM found_run_ends QUALIFY row_number() OVER (PARTITION BY run) = 1)
SEMI JOIN runs USING (run) ORDER BY run;

-- name: input_profiles
INSERT INTO input_profiles BY NAME SELECT DISTINCT * FROM found_input_profiles ORDER BY taken_at;

-- name: field_orders
INSERT INTO field_orders BY NAME SELECT DISTINCT * FROM found_field_orders ORDER BY chosen_at;

-- name: reopenings
-- A dead request that was tried again had been reopened, whatever is left of the record.
INSERT INTO reopenings BY NAME
SELECT
    numbered.key, numbered.place AS attempt,
    coalesce(min(noted.reopened_at), min(checkpoints.committed_at)) AS reopened_at,
    max(noted.max_tokens) AS max_tokens
FROM numbered
JOIN settling USING (run, checkpoint)
JOIN checkpoints ON checkpoints.run = settling.run AND checkpoints.checkpoint = settling.place
LEFT JOIN found_reopenings AS noted
    ON noted.key = numbered.key AND noted.attempt = numbered.attempt
WHERE numbered.verdict = 'dead' AND (numbered.is_followed OR noted.key IS NOT NULL)
GROUP BY numbered.key, numbered.place;

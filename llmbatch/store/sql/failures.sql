-- Failed rows and rejects, told apart by whether a run that came to its end has met them.

-- name: last_finished
SELECT coalesce(max(run), 0) FROM run_ends WHERE exit_code IN (0, 3) AND run < $run;

-- name: stage_present
-- Rows that fail before they are asked, and rejects, named by their content; of equal ones each by its
-- number.
CREATE OR REPLACE TEMP TABLE present_failures AS
SELECT
    kind,
    CAST(md5(
        concat(row_number() OVER (PARTITION BY kind, content ORDER BY place), ':', kind, ':', content)
    ) AS UUID) AS digest
FROM (
    SELECT planned_rows.kind, data AS content, row AS place
    FROM planned_rows JOIN current_plan USING (plan) JOIN rows USING (row)
    WHERE planned_rows.kind IS NOT NULL AND planned_rows.kind <> 'skipped'
    UNION ALL
    SELECT 'rejected', raw, line FROM rejects
);

-- name: count_unknown
-- Those that were not met until a run: rows, and rejects.
SELECT count(*) FILTER (kind <> 'rejected'), count(*) FILTER (kind = 'rejected')
FROM present_failures
ANTI JOIN (SELECT digest FROM known_failures WHERE run <= $since) AS known USING (digest);

-- name: settled_by_run
-- Rows by the run that settled them.
SELECT run, count(*) AS settled, count(*) FILTER (state = 'failed') AS failed
FROM row_states WHERE run IS NOT NULL GROUP BY run;

-- name: stage_known
CREATE OR REPLACE TEMP TABLE still_known AS
SELECT digest, coalesce(min(known_failures.run), $run) AS run
FROM present_failures LEFT JOIN known_failures USING (digest) GROUP BY digest;

-- name: forget
DELETE FROM known_failures;

-- name: keep
INSERT INTO known_failures SELECT digest, run FROM still_known;

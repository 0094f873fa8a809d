-- What made the answers of the runs.

-- name: run_makings
SELECT
    runs.run, runs.spec, runs.version, runs.made_by,
    last.description,
    run_ends.reason
FROM runs
LEFT JOIN run_ends USING (run)
LEFT JOIN (
    SELECT run, arg_max(description, began_at) AS description FROM engine_starts GROUP BY run
) AS last ON last.run = runs.run
ORDER BY runs.run;

-- name: answered_rows
-- Rows of the current plan by the run that answered them.
SELECT run, count(*) AS rows FROM row_states WHERE state = 'answered' GROUP BY run;

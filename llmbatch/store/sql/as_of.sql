-- The answers as they were when a run had ended. Attempts stay for ever, so each request's last one until
-- then is known.

-- name: settled_as_of
CREATE OR REPLACE TEMP VIEW settled AS
SELECT * FROM attempts WHERE run <= {run} AND verdict IN ('answered', 'dead')
QUALIFY row_number() OVER (PARTITION BY key ORDER BY attempt DESC) = 1;

-- name: plan_of_run
SELECT plan FROM runs WHERE run = $run;

-- name: runs
SELECT run FROM runs ORDER BY run;

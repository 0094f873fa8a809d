-- Schema version 21: cascades. A row is planned for one stage at a time, counted from 0: `stage` says for
-- which. `escalations`: its requests at the stages before, whose answers did not do. `cascade_stages`:
-- what the stages of the plan are (none: the job has one model). `escalate_below`: the confidence
-- under which an answer goes on to the next stage; NULL: only failures do; infinity: all do. All of
-- them are made again of rows and answers, so no journal has them. `first_run`: the first run of the
-- process; NULL: the run itself.

-- name: planned_rows_stage
ALTER TABLE planned_rows ADD COLUMN stage INTEGER DEFAULT 0;

-- name: requests_stage
ALTER TABLE requests ADD COLUMN stage INTEGER DEFAULT 0;

-- name: runs_first_run
ALTER TABLE runs ADD COLUMN first_run INTEGER;

-- name: escalations
CREATE TABLE escalations (
    plan INTEGER NOT NULL,
    row BIGINT NOT NULL,
    stage INTEGER NOT NULL,
    key UUID NOT NULL,
    message VARCHAR
);

-- name: cascade_stages
CREATE TABLE cascade_stages (
    plan INTEGER NOT NULL,
    stage INTEGER NOT NULL,
    digest VARCHAR NOT NULL,
    escalate_below DOUBLE,
    is_last BOOLEAN NOT NULL,
    CONSTRAINT stage_counts_from_zero CHECK (stage >= 0)
);

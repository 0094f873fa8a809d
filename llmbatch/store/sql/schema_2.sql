-- Schema version 2: the journal's count, deaths of engines, dead letters that are tried again.

-- name: commits
-- One record per transaction that is also in the journal; the newest number says how much of the
-- journal the store holds.
CREATE TABLE commits (
    number BIGINT NOT NULL,
    CONSTRAINT commit_counts_from_one CHECK (number >= 1)
);

-- name: engine_deaths
-- The engine ended, or was ended because it made no progress, while requests were in flight.
CREATE TABLE engine_deaths (
    run INTEGER NOT NULL,
    died_at TIMESTAMP NOT NULL,
    reason VARCHAR NOT NULL,
    in_flight BIGINT NOT NULL,
    CONSTRAINT in_flight_is_not_negative CHECK (in_flight >= 0)
);

-- name: reopenings
-- A dead attempt that its user wants tried again; it stays, but settles nothing any more.
CREATE TABLE reopenings (
    key UUID NOT NULL,
    attempt INTEGER NOT NULL,
    reopened_at TIMESTAMP NOT NULL
);

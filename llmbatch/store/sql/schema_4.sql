-- Schema version 4: beside each time of a run what the clock said that nobody sets (seconds; only
-- differences within one run mean something). Durations come from it; it is NULL in the records
-- of older versions.

-- name: runs_started_seconds
ALTER TABLE runs ADD COLUMN started_seconds DOUBLE;

-- name: engine_starts_began_seconds
ALTER TABLE engine_starts ADD COLUMN began_seconds DOUBLE;

-- name: engine_starts_ready_seconds
ALTER TABLE engine_starts ADD COLUMN ready_seconds DOUBLE;

-- name: engine_deaths_died_seconds
ALTER TABLE engine_deaths ADD COLUMN died_seconds DOUBLE;

-- name: checkpoints_committed_seconds
ALTER TABLE checkpoints ADD COLUMN committed_seconds DOUBLE;

-- name: run_ends_ended_seconds
ALTER TABLE run_ends ADD COLUMN ended_seconds DOUBLE;

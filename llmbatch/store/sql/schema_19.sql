-- Schema version 19: what the inputs of the job's runs were like, as JSON, for comparison with the next
-- one: an input that runs had one after the other is there once. `digest` names its content, `scope`
-- which of its rows were taken; `drift`: what was found when it was compared.

-- name: input_profiles
CREATE TABLE input_profiles (
    taken_at TIMESTAMP NOT NULL,
    digest VARCHAR NOT NULL,
    scope VARCHAR NOT NULL,
    profile VARCHAR NOT NULL,
    drift VARCHAR NOT NULL
);

-- name: runs_made_by
-- What makes the answers of a run, as JSON; NULL in the records of older versions.
ALTER TABLE runs ADD COLUMN made_by VARCHAR;

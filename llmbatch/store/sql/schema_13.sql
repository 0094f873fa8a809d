-- Schema version 13: the rows that fail before they are asked, and the rejects, that a run which came
-- to its end has met already, so that a later run can tell new ones. `run`: the first that met it.

-- name: known_failures
CREATE TABLE known_failures (digest UUID NOT NULL, run INTEGER NOT NULL);

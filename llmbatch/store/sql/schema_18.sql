-- Schema version 18: what the last runs that came to their end have published, so that the next one can
-- say what changed. An edition is what one of them left: its rows as digests (the lower 64 bits of MD5),
-- with the request that answered each. `id`: of the row's id, NULL without an id column; `input`: of the
-- columns that the prompt uses, `data`: of all. It is no part of the journal: without it a run has none
-- to compare with. `stamp` names all that the answers were when it was kept.

-- name: editions
CREATE TABLE editions (
    edition INTEGER NOT NULL,
    run INTEGER NOT NULL,
    kept_at TIMESTAMP NOT NULL,
    stamp VARCHAR NOT NULL,
    id_column VARCHAR,
    columns VARCHAR NOT NULL
);

-- name: published_rows
CREATE TABLE published_rows (
    edition INTEGER NOT NULL,
    id UBIGINT,
    input UBIGINT NOT NULL,
    data UBIGINT NOT NULL,
    key UUID,
    state VARCHAR NOT NULL,
    answer UBIGINT
);

-- name: published_values
-- How many rows have a value in a field of their answers (`field` NULL: all of an answer), of fields with
-- few values.
CREATE TABLE published_values (
    edition INTEGER NOT NULL,
    field VARCHAR,
    value VARCHAR NOT NULL,
    rows BIGINT NOT NULL
);

-- name: run_changes
-- What the last run changed, as JSON.
CREATE TABLE run_changes (run INTEGER NOT NULL, found VARCHAR NOT NULL);

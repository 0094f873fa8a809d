-- Schema version 20: the passes that found the flags of rows: of which plan, by which settings (a digest),
-- and over how many attempts and reopenings, of which there are only ever more. One for each origin;
-- replaced with its flags, and in no journal, as these.

-- name: flag_passes
CREATE TABLE flag_passes (
    plan INTEGER NOT NULL,
    origin VARCHAR NOT NULL,
    settings VARCHAR NOT NULL,
    attempts BIGINT NOT NULL,
    reopenings BIGINT NOT NULL
);

-- Schema version 16: what was seen in the answers of rows, beside their verdicts: rules of the job that
-- do not hold and only flag (`origin` check), and warning signs (`origin` sign). `detail`: a few words,
-- or NULL. Only those of the newest plan and its answers: they are found again from these, so they are
-- replaced whole, and no journal has them.

-- name: flags
CREATE TABLE flags (
    plan INTEGER NOT NULL,
    row BIGINT NOT NULL,
    origin VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    detail VARCHAR,
    CONSTRAINT flag_origin_is_known CHECK (origin IN ('check', 'sign'))
);

-- Schema version 1. Tables are append-only and carry no keys or indexes (a text key on ten
-- million rows does not fit one gigabyte); the transactions hold uniqueness, invariants.sql
-- audits it. `rows`, `rejects`, `planned_rows` and `requests` hold only the current snapshot
-- and plan: a newer one replaces them whole, in one transaction. Attempts stay for ever.
-- Times are UTC.

-- name: migrations
CREATE TABLE migrations (
    version INTEGER NOT NULL,
    applied_at TIMESTAMP NOT NULL
);

-- name: snapshots
-- One reading of the input, named by the digest of its content.
CREATE TABLE snapshots (
    snapshot INTEGER NOT NULL,
    input VARCHAR NOT NULL,
    format VARCHAR NOT NULL,
    digest VARCHAR NOT NULL,
    id_column VARCHAR,
    columns VARCHAR NOT NULL,
    row_count BIGINT NOT NULL,
    reject_count BIGINT NOT NULL,
    ingested_at TIMESTAMP NOT NULL,
    CONSTRAINT snapshot_counts_are_not_negative CHECK (row_count >= 0 AND reject_count >= 0)
);

-- name: rows
-- `data` is the record as JSON text, every value written as it came.
CREATE TABLE rows (
    snapshot INTEGER NOT NULL,
    row BIGINT NOT NULL,
    line BIGINT NOT NULL,
    id VARCHAR NOT NULL,
    data VARCHAR NOT NULL,
    CONSTRAINT row_counts_from_one CHECK (row >= 1),
    CONSTRAINT line_counts_from_one CHECK (line >= 1)
);

-- name: rejects
CREATE TABLE rejects (
    snapshot INTEGER NOT NULL,
    line BIGINT NOT NULL,
    reason VARCHAR NOT NULL,
    raw VARCHAR NOT NULL,
    CONSTRAINT reject_has_a_reason CHECK (reason <> '')
);

-- name: plans
-- `digest` covers everything that shapes the requests: snapshot, prompt, model, sampling.
CREATE TABLE plans (
    plan INTEGER NOT NULL,
    snapshot INTEGER NOT NULL,
    digest VARCHAR NOT NULL,
    planned_at TIMESTAMP NOT NULL
);

-- name: planned_rows
-- Each row has a request (key), or the reason why none could be made (kind, message).
CREATE TABLE planned_rows (
    plan INTEGER NOT NULL,
    row BIGINT NOT NULL,
    key UUID,
    kind VARCHAR,
    message VARCHAR,
    CONSTRAINT planned_row_has_a_request_or_a_reason CHECK ((key IS NULL) <> (kind IS NULL))
);

-- name: requests
-- One per distinct key of the plan; `position` is its place in the planned order, `copies`
-- the number of rows that share it.
CREATE TABLE requests (
    plan INTEGER NOT NULL,
    position BIGINT NOT NULL,
    key UUID NOT NULL,
    copies BIGINT NOT NULL,
    messages VARCHAR NOT NULL,
    CONSTRAINT position_counts_from_zero CHECK (position >= 0),
    CONSTRAINT request_answers_a_row CHECK (copies >= 1)
);

-- name: runs
CREATE TABLE runs (
    run INTEGER NOT NULL,
    plan INTEGER NOT NULL,
    started_at TIMESTAMP NOT NULL,
    pid INTEGER NOT NULL,
    host VARCHAR NOT NULL,
    version VARCHAR NOT NULL,
    spec VARCHAR NOT NULL,
    reused BIGINT NOT NULL
);

-- name: engine_starts
CREATE TABLE engine_starts (
    run INTEGER NOT NULL,
    began_at TIMESTAMP NOT NULL,
    ready_at TIMESTAMP NOT NULL,
    description VARCHAR NOT NULL,
    CONSTRAINT engine_is_ready_after_it_began CHECK (ready_at >= began_at)
);

-- name: checkpoints
-- One per transaction of settled outcomes. `telemetry` is the engine's, as JSON, at that time.
CREATE TABLE checkpoints (
    run INTEGER NOT NULL,
    checkpoint INTEGER NOT NULL,
    committed_at TIMESTAMP NOT NULL,
    attempts BIGINT NOT NULL,
    telemetry VARCHAR NOT NULL,
    CONSTRAINT checkpoint_holds_attempts CHECK (attempts > 0)
);

-- name: attempts
-- One try of a request. `verdict`: answered, retry (failed, to be tried again) or dead.
CREATE TABLE attempts (
    key UUID NOT NULL,
    attempt INTEGER NOT NULL,
    run INTEGER NOT NULL,
    checkpoint INTEGER NOT NULL,
    verdict VARCHAR NOT NULL,
    kind VARCHAR,
    message VARCHAR,
    finish_reason VARCHAR,
    answer VARCHAR,
    prompt_tokens BIGINT NOT NULL,
    cached_tokens BIGINT NOT NULL,
    output_tokens BIGINT NOT NULL,
    CONSTRAINT attempt_counts_from_one CHECK (attempt >= 1),
    CONSTRAINT verdict_is_known CHECK (verdict IN ('answered', 'retry', 'dead')),
    CONSTRAINT only_failures_have_a_kind CHECK ((verdict = 'answered') = (kind IS NULL)),
    CONSTRAINT answered_attempt_has_an_answer CHECK (verdict <> 'answered' OR answer IS NOT NULL),
    CONSTRAINT tokens_add_up CHECK (
        0 <= cached_tokens AND cached_tokens <= prompt_tokens AND output_tokens >= 0
    )
);

-- name: run_ends
CREATE TABLE run_ends (
    run INTEGER NOT NULL,
    ended_at TIMESTAMP NOT NULL,
    reason VARCHAR NOT NULL,
    exit_code INTEGER NOT NULL,
    timings VARCHAR NOT NULL
);

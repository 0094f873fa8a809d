-- The tables of a new store, version 22: what the migrations make, in one step.
-- Written by `make tables`; what each of them is for stands in the migrations (schema*.sql).

-- name: tables
CREATE TABLE attempts (
    "key" UUID NOT NULL, attempt INTEGER NOT NULL, run INTEGER NOT NULL,
    "checkpoint" INTEGER NOT NULL, verdict VARCHAR NOT NULL, kind VARCHAR, message VARCHAR,
    finish_reason VARCHAR, answer VARCHAR, prompt_tokens BIGINT NOT NULL,
    cached_tokens BIGINT NOT NULL, output_tokens BIGINT NOT NULL, reasoning VARCHAR,
    reasoning_tokens BIGINT, logprobs VARCHAR, told BOOLEAN DEFAULT('f'), CHECK((attempt >= 1)),
    CHECK((verdict IN ('answered', 'retry', 'dead'))),
    CHECK(((verdict = 'answered') = (kind IS NULL))),
    CHECK(((verdict != 'answered') OR (answer IS NOT NULL))),
    CHECK(((0 <= cached_tokens) AND (cached_tokens <= prompt_tokens) AND (output_tokens >= 0)))
);

CREATE TABLE cascade_stages (
    plan INTEGER NOT NULL, stage INTEGER NOT NULL, digest VARCHAR NOT NULL, escalate_below DOUBLE,
    is_last BOOLEAN NOT NULL, CHECK((stage >= 0))
);

CREATE TABLE checkpoints (
    run INTEGER NOT NULL, "checkpoint" INTEGER NOT NULL, committed_at TIMESTAMP NOT NULL,
    attempts BIGINT NOT NULL, telemetry VARCHAR NOT NULL, committed_seconds DOUBLE,
    CHECK((attempts > 0))
);

CREATE TABLE commits (
    number BIGINT NOT NULL, link BLOB, CHECK((number >= 1))
);

CREATE TABLE editions (
    edition INTEGER NOT NULL, run INTEGER NOT NULL, kept_at TIMESTAMP NOT NULL,
    stamp VARCHAR NOT NULL, id_column VARCHAR, "columns" VARCHAR NOT NULL
);

CREATE TABLE engine_deaths (
    run INTEGER NOT NULL, died_at TIMESTAMP NOT NULL, reason VARCHAR NOT NULL,
    in_flight BIGINT NOT NULL, died_seconds DOUBLE, CHECK((in_flight >= 0))
);

CREATE TABLE engine_starts (
    run INTEGER NOT NULL, began_at TIMESTAMP NOT NULL, ready_at TIMESTAMP NOT NULL,
    description VARCHAR NOT NULL, began_seconds DOUBLE, ready_seconds DOUBLE,
    CHECK((ready_at >= began_at))
);

CREATE TABLE escalations (
    plan INTEGER NOT NULL, "row" BIGINT NOT NULL, stage INTEGER NOT NULL, "key" UUID NOT NULL,
    message VARCHAR
);

CREATE TABLE field_orders (
    "columns" VARCHAR NOT NULL, chosen_at TIMESTAMP NOT NULL
);

CREATE TABLE flag_passes (
    plan INTEGER NOT NULL, origin VARCHAR NOT NULL, settings VARCHAR NOT NULL,
    attempts BIGINT NOT NULL, reopenings BIGINT NOT NULL
);

CREATE TABLE flags (
    plan INTEGER NOT NULL, "row" BIGINT NOT NULL, origin VARCHAR NOT NULL, "name" VARCHAR NOT NULL,
    detail VARCHAR, CHECK((origin IN ('check', 'sign')))
);

CREATE TABLE forecasts (
    run INTEGER NOT NULL, made_at TIMESTAMP NOT NULL, forecast VARCHAR NOT NULL
);

CREATE TABLE input_profiles (
    taken_at TIMESTAMP NOT NULL, digest VARCHAR NOT NULL, "scope" VARCHAR NOT NULL,
    profile VARCHAR NOT NULL, drift VARCHAR NOT NULL
);

CREATE TABLE known_failures (
    digest UUID NOT NULL, run INTEGER NOT NULL
);

CREATE TABLE migrations (
    "version" INTEGER NOT NULL, applied_at TIMESTAMP NOT NULL
);

CREATE TABLE planned_rows (
    plan INTEGER NOT NULL, "row" BIGINT NOT NULL, "key" UUID, kind VARCHAR, message VARCHAR,
    "sample" INTEGER DEFAULT(0), samples INTEGER DEFAULT(1), stage INTEGER DEFAULT(0),
    CHECK((("key" IS NULL) != (kind IS NULL)))
);

CREATE TABLE "plans" (
    plan INTEGER NOT NULL, "snapshot" INTEGER NOT NULL, digest VARCHAR NOT NULL,
    planned_at TIMESTAMP NOT NULL, votes BOOLEAN DEFAULT('f')
);

CREATE TABLE published_rows (
    edition INTEGER NOT NULL, id UBIGINT, "input" UBIGINT NOT NULL, "data" UBIGINT NOT NULL,
    "key" UUID, state VARCHAR NOT NULL, answer UBIGINT
);

CREATE TABLE published_values (
    edition INTEGER NOT NULL, field VARCHAR, "value" VARCHAR NOT NULL, "rows" BIGINT NOT NULL
);

CREATE TABLE rejects (
    "snapshot" INTEGER NOT NULL, line BIGINT NOT NULL, reason VARCHAR NOT NULL,
    raw VARCHAR NOT NULL, file INTEGER DEFAULT(0), CHECK((reason != ''))
);

CREATE TABLE reopenings (
    "key" UUID NOT NULL, attempt INTEGER NOT NULL, reopened_at TIMESTAMP NOT NULL,
    max_tokens BIGINT
);

CREATE TABLE requests (
    plan INTEGER NOT NULL, "position" BIGINT NOT NULL, "key" UUID NOT NULL, copies BIGINT NOT NULL,
    messages VARCHAR NOT NULL, body VARCHAR, text_at BIGINT, text_bytes BIGINT,
    text_characters BIGINT, "sample" INTEGER DEFAULT(0), row_share DOUBLE, stage INTEGER DEFAULT(0),
    CHECK(("position" >= 0)), CHECK((copies >= 1))
);

CREATE TABLE "rows" (
    "snapshot" INTEGER NOT NULL, "row" BIGINT NOT NULL, line BIGINT NOT NULL, id VARCHAR NOT NULL,
    "data" VARCHAR NOT NULL, file INTEGER DEFAULT(0), text_at BIGINT, text_bytes BIGINT,
    CHECK(("row" >= 1)), CHECK((line >= 1))
);

CREATE TABLE run_changes (
    run INTEGER NOT NULL, found VARCHAR NOT NULL
);

CREATE TABLE run_ends (
    run INTEGER NOT NULL, ended_at TIMESTAMP NOT NULL, reason VARCHAR NOT NULL,
    exit_code INTEGER NOT NULL, timings VARCHAR NOT NULL, ended_seconds DOUBLE
);

CREATE TABLE runs (
    run INTEGER NOT NULL, plan INTEGER NOT NULL, started_at TIMESTAMP NOT NULL,
    pid INTEGER NOT NULL, host VARCHAR NOT NULL, "version" VARCHAR NOT NULL, spec VARCHAR NOT NULL,
    reused BIGINT NOT NULL, started_seconds DOUBLE, made_by VARCHAR, first_run INTEGER
);

CREATE TABLE shares (
    "snapshot" INTEGER NOT NULL, shard INTEGER NOT NULL, shards INTEGER NOT NULL,
    asked VARCHAR NOT NULL, "rows" BIGINT NOT NULL, rejects BIGINT NOT NULL,
    requests BIGINT NOT NULL, CHECK((shard BETWEEN 1 AND shards))
);

CREATE TABLE snapshots (
    "snapshot" INTEGER NOT NULL, "input" VARCHAR NOT NULL, format VARCHAR NOT NULL,
    digest VARCHAR NOT NULL, id_column VARCHAR, "columns" VARCHAR NOT NULL,
    row_count BIGINT NOT NULL, reject_count BIGINT NOT NULL, ingested_at TIMESTAMP NOT NULL,
    notes VARCHAR, files VARCHAR, rows_read BIGINT,
    CHECK(((row_count >= 0) AND (reject_count >= 0)))
);

-- The report's figures from the output files alone, written with --meta. It knows nothing of the
-- store: of the report it takes the settings of the runs (price, devices), how long they took, and
-- the weights of their tokens.
--
-- Not to be had from the files: what rows used that have left the input since, and tokens of
-- attempts whose run is not the one that settled their row (a dead letter that was reopened).

-- name: tried
-- A line for each row that had a request: what its request used, in all attempts.
CREATE TABLE tried AS
SELECT
    id, team, customer, request, run, TRUE AS answered,
    prompt_tokens, cached_tokens, output_tokens,
    wasted_prompt_tokens, wasted_cached_tokens, wasted_output_tokens,
    prompt_tokens + wasted_prompt_tokens AS all_prompt,
    cached_tokens + wasted_cached_tokens AS all_cached,
    output_tokens + wasted_output_tokens AS all_output
FROM read_json('out.jsonl', columns = {
    id: 'VARCHAR', team: 'VARCHAR', customer: 'VARCHAR', request: 'VARCHAR', run: 'INTEGER',
    prompt_tokens: 'BIGINT', cached_tokens: 'BIGINT', output_tokens: 'BIGINT',
    wasted_prompt_tokens: 'BIGINT', wasted_cached_tokens: 'BIGINT', wasted_output_tokens: 'BIGINT'
})
WHERE request IS NOT NULL
UNION ALL
SELECT
    id, team, customer, error.request, error.run, FALSE,
    error.prompt_tokens, error.cached_tokens, error.output_tokens,
    error.prompt_tokens + error.wasted_prompt_tokens,
    error.cached_tokens + error.wasted_cached_tokens,
    error.output_tokens + error.wasted_output_tokens,
    error.prompt_tokens + error.wasted_prompt_tokens,
    error.cached_tokens + error.wasted_cached_tokens,
    error.output_tokens + error.wasted_output_tokens
FROM read_json('out.errors.jsonl', columns = {
    id: 'VARCHAR', team: 'VARCHAR', customer: 'VARCHAR',
    error: 'STRUCT(
        kind VARCHAR, request VARCHAR, run INTEGER,
        prompt_tokens BIGINT, cached_tokens BIGINT, output_tokens BIGINT,
        wasted_prompt_tokens BIGINT, wasted_cached_tokens BIGINT, wasted_output_tokens BIGINT
    )'
})
WHERE error.request IS NOT NULL;

-- name: requests
-- Rows of one request share it.
CREATE TABLE requests AS
SELECT DISTINCT * EXCLUDE (id, team, customer, copies), copies
FROM tried JOIN (SELECT request, count(*) AS copies FROM tried GROUP BY request) USING (request);

-- name: runs
-- `unit`: device seconds of the run's generation for one second by the weights.
CREATE TABLE runs AS
SELECT
    *,
    (prompt - cached) * weights.prompt + output * weights.output AS weight,
    CASE
        WHEN price_per_million IS NULL THEN price_per_hour * devices * seconds / 3600
        ELSE ((prompt - cached) * price_per_million.input + cached * price_per_million.cached
            + output * price_per_million.output) / 1e6
    END AS cost,
    price_per_hour * devices / 3600 * (generate_seconds - idle_seconds) / weight AS unit,
    coalesce(price_per_million.input / 1e6, unit * weights.prompt) AS for_computed,
    coalesce(price_per_million.cached / 1e6, 0) AS for_cached,
    coalesce(price_per_million.output / 1e6, unit * weights.output) AS for_output
FROM (
    SELECT unnest(runs, max_depth := 2) FROM read_json('out.llmbatch/report.json', columns = {
        runs: 'STRUCT(
            run INTEGER, seconds DOUBLE, generate_seconds DOUBLE, idle_seconds DOUBLE,
            devices INTEGER, price_per_hour DOUBLE,
            price_per_million STRUCT(input DOUBLE, cached DOUBLE, output DOUBLE),
            weights STRUCT(prompt DOUBLE, output DOUBLE)
        )[]'
    })
)
JOIN (
    SELECT
        run,
        sum(all_prompt) AS prompt, sum(all_cached) AS cached, sum(all_output) AS output,
        sum(wasted_prompt_tokens) AS wasted_prompt, sum(wasted_cached_tokens) AS wasted_cached,
        sum(wasted_output_tokens) AS wasted_output
    FROM requests GROUP BY run
) USING (run);

-- name: rows
SELECT
    (SELECT count(*) FROM tried WHERE answered) AS answered,
    count(*) FILTER (error.kind <> 'rejected') AS failed,
    count(*) FILTER (error.kind = 'rejected') AS rejected,
    -- With `--keep skipped` they are in the output, without a request.
    (
        SELECT count(*) FROM read_json('out.jsonl', columns = {request: 'VARCHAR'})
        WHERE request IS NULL
    ) AS skipped
FROM read_json('out.errors.jsonl', columns = {error: 'STRUCT(kind VARCHAR)'});

-- name: tokens
SELECT
    run, prompt AS prompt_tokens, cached AS cached_tokens, output AS output_tokens,
    wasted_prompt AS wasted_prompt_tokens, wasted_cached AS wasted_cached_tokens,
    wasted_output AS wasted_output_tokens
FROM runs ORDER BY run;

-- name: rows_by_run
SELECT run, count(*) AS rows FROM tried GROUP BY run ORDER BY run;

-- name: duplicates
SELECT
    sum((copies - 1) * prompt_tokens) AS prompt_tokens,
    sum((copies - 1) * output_tokens) AS output_tokens,
    sum((copies - 1) * (prompt_tokens * for_computed + output_tokens * for_output)) AS cost
FROM requests JOIN runs USING (run) WHERE answered;

-- name: reuse
-- Answers of the runs before the last one, each at the rates of its own run: all have one price.
SELECT
    sum(prompt_tokens) AS prompt_tokens,
    sum(output_tokens) AS output_tokens,
    sum(prompt_tokens * for_computed + output_tokens * for_output) AS cost
FROM requests JOIN runs USING (run)
WHERE answered AND run < (SELECT max(run) FROM runs);

-- name: costs
SELECT
    sum(cost) AS physical,
    sum(wasted_prompt * for_computed + wasted_cached * (for_cached - for_computed)
        + wasted_output * for_output) AS wasted,
    sum(cached * (for_computed - for_cached)) AS prefix_cache,
    1e6 * sum(cost) / sum(prompt + output) AS per_million,
    1e6 * sum(
        CASE
            WHEN price_per_million IS NULL THEN cost * output * weights.output / weight
            ELSE output * for_output
        END
    ) / sum(output) AS per_million_output,
    sum((prompt - cached) * 0.5 + cached * 0.05 + output * 1.5) / 1e6 AS listed
FROM runs;

-- name: shares
SELECT
    team, customer, count(*) AS rows,
    sum((all_prompt - all_cached) / copies) AS computed_prompt_tokens,
    sum(all_output / copies) AS output_tokens,
    sum(
        CASE
            WHEN price_per_million IS NULL THEN cost / weight
                * ((all_prompt - all_cached) * weights.prompt + all_output * weights.output)
            ELSE (all_prompt - all_cached) * for_computed + all_cached * for_cached
                + all_output * for_output
        END / copies
    ) AS cost
FROM tried
JOIN (SELECT request, copies FROM requests) USING (request)
JOIN runs USING (run)
GROUP BY team, customer;

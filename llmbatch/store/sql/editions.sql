-- What runs have published, and what is there now.

-- name: stamp
-- Another plan, another answer or another reopening is another stamp; forgotten answers, too, by the
-- times of their checkpoints.
SELECT concat_ws(
    ' ',
    (SELECT max(plan) FROM current_plan),
    (SELECT count(*) FROM attempts),
    (SELECT max(committed_at) FROM checkpoints),
    (SELECT count(*) FROM reopenings)
);

-- name: newest_editions
SELECT edition, run, kept_at, stamp, id_column, columns FROM editions ORDER BY edition DESC;

-- name: stage_long_digests
CREATE OR REPLACE TEMP TABLE long_digests (row BIGINT, digest VARCHAR);

-- name: stage_long_digest
INSERT INTO long_digests SELECT * FROM batch;

-- name: long_rows
SELECT row, data, snapshot, text_at, text_bytes FROM rows
WHERE text_at IS NOT NULL AND row > $after ORDER BY row LIMIT $most;

-- name: stage_present
CREATE OR REPLACE TEMP TABLE present_rows (
    id UBIGINT, input UBIGINT, data UBIGINT, key UUID, state VARCHAR, answer UBIGINT
);

-- name: stage_present_part
-- Of a classification only the label counts, of a score six digits: {answer} is what counts.
-- Digests are made before the rows meet their answers: a join holds what it is given.
INSERT INTO present_rows
SELECT
    digests.id, digests.input, digests.data, key, state,
    CASE WHEN state = 'answered' THEN md5_number_lower({answer}) END
FROM (
    SELECT
        row,
        CASE WHEN $has_ids THEN md5_number_lower(id) END AS id,
        md5_number_lower(coalesce(digest, {input})) AS input,
        md5_number_lower(coalesce(digest, data)) AS data
    FROM rows LEFT JOIN long_digests USING (row)
    WHERE row BETWEEN $first AND $last
) AS digests
JOIN row_states USING (row)
WHERE row BETWEEN $first AND $last;

-- name: changes_by_id
WITH before AS (SELECT * FROM published_rows WHERE edition = $edition),
pairs AS (
    SELECT
        before.id IS NULL AS is_new,
        present_rows.id IS NULL AS is_gone,
        {is_changed} AS is_changed,
        before.state AS former,
        present_rows.state AS state,
        before.answer IS DISTINCT FROM present_rows.answer AS differs
    FROM before FULL JOIN present_rows ON before.id = present_rows.id
)
SELECT
    count(*) FILTER (is_new) AS new_rows,
    count(*) FILTER (is_gone) AS gone_rows,
    count(*) FILTER (is_changed) AS changed_input_rows,
    count(*) FILTER (NOT is_changed) AS same_input_rows,
    count(*) FILTER (NOT is_changed AND former = 'answered' AND state = 'answered') AS compared_rows,
    count(*) FILTER (NOT is_changed AND former = 'answered' AND state = 'answered' AND differs)
        AS changed_answers,
    count(*) FILTER (NOT is_changed AND former = 'answered' AND state = 'failed') AS newly_failed,
    count(*) FILTER (NOT is_changed AND former = 'failed' AND state = 'answered') AS newly_answered
FROM (SELECT * REPLACE (CASE WHEN NOT is_new AND NOT is_gone THEN is_changed END AS is_changed) FROM pairs);

-- name: changes_by_content
-- Rows of equal content are matched where their answers are equal, then one with another.
WITH both_sides AS (
    SELECT {name} AS name, state, answer, count(*) AS before, 0 AS after
    FROM published_rows WHERE edition = $edition GROUP BY ALL
    UNION ALL
    SELECT {name} AS name, state, answer, 0 AS before, count(*) AS after FROM present_rows GROUP BY ALL
),
tallied AS (
    SELECT name, state, answer, CAST(sum(before) AS BIGINT) AS before, CAST(sum(after) AS BIGINT) AS after
    FROM both_sides GROUP BY name, state, answer
),
named AS (
    SELECT
        sum(before) AS before,
        sum(after) AS after,
        coalesce(sum(least(before, after)) FILTER (state = 'answered'), 0) AS equal,
        coalesce(sum(before - least(before, after)) FILTER (state = 'answered'), 0) AS answered_before,
        coalesce(sum(after - least(before, after)) FILTER (state = 'answered'), 0) AS answered_after,
        coalesce(sum(before - least(before, after)) FILTER (state = 'failed'), 0) AS failed_before,
        coalesce(sum(after - least(before, after)) FILTER (state = 'failed'), 0) AS failed_after,
        least(answered_before, answered_after) AS changed
    FROM tallied GROUP BY name
)
SELECT
    CAST(coalesce(sum(greatest(after - before, 0)), 0) AS BIGINT) AS new_rows,
    CAST(coalesce(sum(greatest(before - after, 0)), 0) AS BIGINT) AS gone_rows,
    CAST(0 AS BIGINT) AS changed_input_rows,
    CAST(coalesce(sum(least(before, after)), 0) AS BIGINT) AS same_input_rows,
    CAST(coalesce(sum(equal + changed), 0) AS BIGINT) AS compared_rows,
    CAST(coalesce(sum(changed), 0) AS BIGINT) AS changed_answers,
    CAST(coalesce(sum(least(answered_before - changed, failed_after)), 0) AS BIGINT) AS newly_failed,
    CAST(coalesce(sum(least(answered_after - changed, failed_before)), 0) AS BIGINT) AS newly_answered
FROM named;

-- name: stage_former_keys
-- The requests that answered the rows of now in an edition, as far as their input is the same.
CREATE OR REPLACE TEMP TABLE former_keys AS
SELECT present.row, any_value(former.key) AS key
FROM (
    SELECT row, md5_number_lower(id) AS id, md5_number_lower(coalesce(digest, {input})) AS input
    FROM rows LEFT JOIN long_digests USING (row)
) AS present
JOIN published_rows AS former
    ON former.edition = {edition} AND former.input = present.input{same_id}
GROUP BY present.row;

-- name: former_plan
CREATE OR REPLACE TEMP VIEW planned_rows AS
SELECT planned.* REPLACE (
    former_keys.key AS key, CAST(NULL AS VARCHAR) AS kind, CAST(NULL AS VARCHAR) AS message
)
FROM job.main.planned_rows AS planned LEFT JOIN former_keys USING (row);

-- name: edition_size
SELECT count(*), count(*) FILTER (state = 'answered') FROM published_rows WHERE edition = $edition;

-- name: published_values
SELECT field, value, rows FROM published_values WHERE edition = $edition
ORDER BY field, rows DESC, value;

-- name: forget_rows
DELETE FROM published_rows WHERE edition < $first;

-- name: forget_values
DELETE FROM published_values WHERE edition < $first;

-- name: forget_editions
DELETE FROM editions WHERE edition < $first;

-- name: keep_rows
INSERT INTO published_rows SELECT $edition, * FROM present_rows;

-- name: keep_values
INSERT INTO published_values
SELECT $edition, field, value, CAST(rows AS BIGINT) FROM batch;

-- name: keep_edition
INSERT INTO editions VALUES ($edition, $run, $kept_at, $stamp, $id_column, $columns);

-- name: forget_changes
DELETE FROM run_changes;

-- name: keep_changes
INSERT INTO run_changes VALUES ($run, $found);

-- name: changes_of_run
SELECT found FROM run_changes WHERE run = $run;

-- The answers of the current plan, for a report.

-- name: stage_answers
-- Of every so many requests. `copies` rows have the answer.
CREATE OR REPLACE TEMP TABLE shown_answers AS
SELECT position, copies, answer
FROM requests JOIN current_plan USING (plan) JOIN settled USING (key)
ANTI JOIN escalations USING (key)
WHERE verdict = 'answered' AND position % $step = 0;

-- name: answers_in_all
SELECT
    CAST(coalesce(sum(copies), 0) AS BIGINT) AS rows,
    count(DISTINCT answer) AS distinct_answers,
    CAST(coalesce(sum(copies) FILTER (trim(answer, chr(9) || chr(10) || chr(13) || ' ') = ''), 0) AS BIGINT)
        AS empty_rows,
    max(length(answer)) AS longest,
    arg_max(position, length(answer)) AS longest_position
FROM shown_answers;

-- name: answers_most_common
SELECT left(answer, $longest) AS value, CAST(sum(copies) AS BIGINT) AS rows
FROM shown_answers GROUP BY answer ORDER BY rows DESC, answer LIMIT 1;

-- name: answer_row
SELECT min(rows.row) FROM requests JOIN planned_rows USING (key) JOIN rows USING (row)
WHERE position = $position;

-- name: answer_places
-- The first, the middle and the last of the answered rows.
SELECT row FROM (
    SELECT planned_rows.row, row_number() OVER (ORDER BY planned_rows.row) AS place,
        count(*) OVER () AS places
    FROM planned_rows JOIN current_plan USING (plan)
    SEMI JOIN (SELECT key FROM settled WHERE verdict = 'answered') AS answered USING (key)
    WHERE sample = 0
)
WHERE place IN (1, (places + 1) // 2, places) ORDER BY row;

-- name: answers_at
-- Of several samples of a row the first.
SELECT rows.id, rows.line, left(settled.answer, $longest) AS answer
FROM rows JOIN planned_rows USING (row) JOIN settled USING (key)
WHERE list_contains($rows, row) AND sample = 0 AND verdict = 'answered' ORDER BY row;

-- name: stage_whole
CREATE OR REPLACE TEMP TABLE shown_values AS
SELECT copies, trim(answer) AS value FROM shown_answers;

-- name: stage_part
-- The value of a member, NULL where an answer has none.
CREATE OR REPLACE TEMP TABLE shown_values AS
SELECT copies, CASE WHEN json_valid(answer) THEN json_extract_string(answer, $pointer) END AS value
FROM shown_answers;

-- name: values_in_all
SELECT
    count(DISTINCT value) AS kinds,
    CAST(coalesce(sum(copies) FILTER (value IS NOT NULL), 0) AS BIGINT) AS rows,
    CAST(coalesce(sum(copies) FILTER (value IS NULL), 0) AS BIGINT) AS missing,
    CAST(coalesce(sum(copies) FILTER (TRY_CAST(value AS DOUBLE) IS NULL AND value IS NOT NULL), 0) AS BIGINT)
        AS no_numbers
FROM shown_values;

-- name: values_counted
SELECT left(value, $longest) AS value, CAST(sum(copies) AS BIGINT) AS rows
FROM shown_values WHERE value IS NOT NULL
GROUP BY shown_values.value ORDER BY rows DESC, shown_values.value LIMIT $most;

-- name: values_measured
-- The median is the least number that half of the rows do not exceed.
WITH numbers AS (
    SELECT
        TRY_CAST(value AS DOUBLE) AS number, copies,
        sum(copies) OVER (ORDER BY number) AS up_to, sum(copies) OVER () AS in_all
    FROM shown_values WHERE isfinite(TRY_CAST(value AS DOUBLE))
)
SELECT
    min(number) AS least,
    min(number) FILTER (2 * up_to >= in_all) AS median,
    sum(number * copies) / sum(copies) AS mean,
    max(number) AS largest
FROM numbers;

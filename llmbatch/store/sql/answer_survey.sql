-- All answers of the current plan, looked at together.

-- name: answer_lengths
SELECT
    count(*) AS answers,
    coalesce(median(ln(1 + length(answer))), 0) AS median,
    coalesce(mad(ln(1 + length(answer))), 0) AS spread
FROM planned_rows JOIN current_plan USING (plan) JOIN settled USING (key)
WHERE verdict = 'answered';

-- name: answer_sample
SELECT answer FROM (
    SELECT DISTINCT answer
    FROM requests JOIN current_plan USING (plan) JOIN settled USING (key)
    WHERE verdict = 'answered' AND length(answer) >= $least
)
ORDER BY md5(answer), answer LIMIT $most;

-- name: stage_shared_answers
CREATE OR REPLACE TEMP TABLE shared_answers AS
SELECT md5_number(answer) AS digest
FROM requests JOIN current_plan USING (plan) JOIN settled USING (key)
WHERE verdict = 'answered' AND length(answer) >= $least
GROUP BY digest HAVING count(*) > 1;

-- name: stage_shared_rows
CREATE OR REPLACE TEMP TABLE shared_rows AS
SELECT row, key, digest
FROM (
    SELECT key, md5_number(answer) AS digest
    FROM requests JOIN current_plan USING (plan) JOIN settled USING (key)
    WHERE verdict = 'answered'
)
JOIN shared_answers USING (digest)
JOIN planned_rows USING (key) JOIN current_plan USING (plan);

-- name: stage_shared_inputs
-- Five: one may be that of the row itself.
CREATE OR REPLACE TEMP TABLE shared_inputs AS
SELECT digest, arg_min({'key': key, 'data': data}, md5(data), 5) AS inputs
FROM (
    SELECT digest, key, min(left(data, 20000)) AS data
    FROM shared_rows JOIN rows USING (row) GROUP BY digest, key
)
GROUP BY digest;

-- name: shared_window
SELECT
    row,
    list_transform(
        list_filter(inputs, lambda other: other.key <> shared_rows.key), lambda other: other.data
    )[:4] AS others
FROM shared_rows JOIN shared_inputs USING (digest)
WHERE row >= $first AND row < $end;

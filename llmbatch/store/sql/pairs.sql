-- The rows of two sides and their answers, side 0 and side 1, matched to pairs.

-- name: answers
-- `answer`: all of an answer in one form, by which it is compared; `fields`: its parts, a JSON object.
CREATE TABLE answers (
    side TINYINT, place BIGINT, name VARCHAR, data VARCHAR, state VARCHAR, kind VARCHAR, answer VARCHAR,
    fields VARCHAR
);

-- name: add
INSERT INTO answers SELECT * FROM batch;

-- name: identify
-- {match}: by which rows are matched; {input}: the input columns that both sides have.
CREATE TABLE identified AS
SELECT side, place, md5_number_lower({match}) AS match, md5_number_lower({input}) AS input, state, answer
FROM answers;

-- name: count_matches
CREATE TABLE counted AS
SELECT match, count(*) FILTER (side = 0) AS a, count(*) FILTER (side = 1) AS b
FROM identified GROUP BY match;

-- name: several
-- Of rows with one identity those with equal answers are a pair first, then one with another by order.
CREATE TABLE several AS
SELECT
    side, place, match, state, answer,
    row_number() OVER (PARTITION BY side, match, state, answer ORDER BY place) AS copy
FROM identified SEMI JOIN (FROM counted WHERE a > 0 AND b > 0 AND a + b > 2) AS many USING (match);

-- name: equal
CREATE TABLE equal AS
SELECT a.place AS a_place, b.place AS b_place
FROM (FROM several WHERE side = 0) AS a JOIN (FROM several WHERE side = 1) AS b
ON a.match = b.match AND a.state = b.state AND a.answer IS NOT DISTINCT FROM b.answer AND a.copy = b.copy;

-- name: others
CREATE TABLE others AS
SELECT
    side, place, match,
    row_number() OVER (PARTITION BY side, match ORDER BY state, place) AS copy,
    count(*) OVER (PARTITION BY side, match) AS copies
FROM several
WHERE (side, place) NOT IN (SELECT (0, a_place) FROM equal UNION ALL SELECT (1, b_place) FROM equal);

-- name: matched
CREATE TABLE matched AS
SELECT a.place AS a_place, b.place AS b_place, FALSE AS is_ambiguous
FROM (FROM identified WHERE side = 0) AS a JOIN (FROM identified WHERE side = 1) AS b USING (match)
JOIN counted USING (match) WHERE counted.a = 1 AND counted.b = 1
UNION ALL
SELECT a_place, b_place, FALSE FROM equal
UNION ALL
SELECT a.place, b.place, greatest(a.copies, b.copies) > 1
FROM (FROM others WHERE side = 0) AS a JOIN (FROM others WHERE side = 1) AS b USING (match, copy);

-- name: pairs
CREATE TABLE pairs AS
SELECT
    row_number() OVER (ORDER BY b_place) AS pair, a_place, b_place, is_ambiguous,
    a.input = b.input AS same_input, a.state AS a_state, b.state AS b_state,
    a.answer IS DISTINCT FROM b.answer AS is_changed
FROM matched
JOIN (FROM identified WHERE side = 0) AS a ON a.place = a_place
JOIN (FROM identified WHERE side = 1) AS b ON b.place = b_place;

-- name: match_counts
SELECT
    matched,
    (SELECT count(*) FROM answers WHERE side = 0) - matched AS only_a,
    (SELECT count(*) FROM answers WHERE side = 1) - matched AS only_b,
    ambiguous,
    other_input
FROM (
    SELECT
        count(*) AS matched,
        count(*) FILTER (is_ambiguous) AS ambiguous,
        count(*) FILTER (NOT same_input) AS other_input
    FROM pairs
);

-- name: answer_counts
SELECT
    count(*) FILTER (same_input AND a_state = 'answered' AND b_state = 'answered') AS compared,
    count(*) FILTER (same_input AND a_state = 'answered' AND b_state = 'answered' AND is_changed) AS changed,
    count(*) FILTER (NOT same_input AND a_state = 'answered' AND b_state = 'answered' AND is_changed)
        AS changed_of_other_input,
    count(*) FILTER (a_state = 'answered' AND b_state = 'failed') AS newly_failed,
    count(*) FILTER (a_state = 'failed' AND b_state = 'answered') AS newly_answered,
    count(*) FILTER (a_state = 'failed' AND b_state = 'failed') AS failed_in_both
FROM pairs;

-- name: state_counts
SELECT side, state, count(*) FROM answers GROUP BY side, state;

-- name: failure_kinds
SELECT
    coalesce(kind, 'unknown') AS kind,
    count(*) FILTER (side = 0) AS a_rows,
    count(*) FILTER (side = 1) AS b_rows
FROM answers WHERE state = 'failed' GROUP BY ALL ORDER BY greatest(a_rows, b_rows) DESC, kind;

-- name: field_names
SELECT name FROM (
    SELECT unnest(json_keys(fields)) AS name, side, place FROM answers WHERE fields IS NOT NULL
)
GROUP BY name ORDER BY min(side), min(place), name LIMIT $most;

-- name: take_field
-- The values of a field, JSON texts, of the pairs that are compared; null and none are NULL.
CREATE OR REPLACE TABLE field_values AS
SELECT
    pair,
    nullif(CAST(json_extract(a.fields, $pointer) AS VARCHAR), 'null') AS a,
    nullif(CAST(json_extract(b.fields, $pointer) AS VARCHAR), 'null') AS b
FROM pairs
JOIN (FROM answers WHERE side = 0) AS a ON a.place = a_place
JOIN (FROM answers WHERE side = 1) AS b ON b.place = b_place
WHERE same_input AND a_state = 'answered' AND b_state = 'answered';

-- name: field_in_all
SELECT
    count(*) AS rows,
    count(*) FILTER (a IS DISTINCT FROM b) AS changed,
    count(DISTINCT a) AS a_kinds,
    count(DISTINCT b) AS b_kinds,
    count(*) FILTER (a IS NOT NULL AND NOT regexp_full_match(a, '-?[0-9].*'))
        + count(*) FILTER (b IS NOT NULL AND NOT regexp_full_match(b, '-?[0-9].*')) AS no_numbers,
    count(a) + count(b) AS filled
FROM field_values;

-- name: field_changes
SELECT a, b FROM field_values WHERE a IS DISTINCT FROM b AND pair > $after ORDER BY pair LIMIT $most;

-- name: field_window
SELECT pair, a, b FROM field_values WHERE a IS DISTINCT FROM b AND pair > $after ORDER BY pair LIMIT $most;

-- name: field_sample
-- About so many changed pairs, the same ones each time.
SELECT a, b FROM field_values WHERE a IS DISTINCT FROM b AND a IS NOT NULL AND b IS NOT NULL
ORDER BY md5(CAST(pair AS VARCHAR)) LIMIT $most;

-- name: field_moves
SELECT coalesce(a, 'null') AS a, coalesce(b, 'null') AS b, count(*) AS rows
FROM field_values GROUP BY ALL ORDER BY rows DESC, a, b;

-- name: field_numbers
SELECT TRY_CAST(a AS DOUBLE) AS a, TRY_CAST(b AS DOUBLE) AS b FROM field_values
WHERE isfinite(TRY_CAST(a AS DOUBLE)) AND isfinite(TRY_CAST(b AS DOUBLE));

-- name: side_values
-- Of all answered rows of each side, matched or not.
SELECT coalesce(nullif(CAST(json_extract(fields, $pointer) AS VARCHAR), 'null'), 'null') AS value,
    count(*) FILTER (side = 0) AS a_rows,
    count(*) FILTER (side = 1) AS b_rows
FROM answers WHERE state = 'answered' GROUP BY ALL ORDER BY a_rows + b_rows DESC, value LIMIT $most;

-- name: vector_window
SELECT pair, a.answer, b.answer
FROM pairs
JOIN (FROM answers WHERE side = 0) AS a ON a.place = a_place
JOIN (FROM answers WHERE side = 1) AS b ON b.place = b_place
WHERE same_input AND a_state = 'answered' AND b_state = 'answered' AND is_changed AND pair > $after
ORDER BY pair LIMIT $most;

-- name: mark_unchanged
UPDATE pairs SET is_changed = FALSE WHERE pair IN (SELECT pair FROM batch);

-- name: changed_window
SELECT pair, b.name, b.data, a.state, a.kind, coalesce(a.answer, a.kind), b.state, b.kind,
    coalesce(b.answer, b.kind), same_input
FROM pairs
JOIN (FROM answers WHERE side = 0) AS a ON a.place = a_place
JOIN (FROM answers WHERE side = 1) AS b ON b.place = b_place
WHERE (is_changed OR a_state <> b_state) AND pair > $after ORDER BY pair LIMIT $most;

-- name: add_right
INSERT INTO right_rows SELECT * FROM batch;

-- name: right_rows
CREATE TABLE right_rows (side TINYINT, place BIGINT, is_right BOOLEAN);

-- name: right_counts
SELECT
    count(*) AS rows,
    count(*) FILTER (a.is_right) AS a_right,
    count(*) FILTER (b.is_right) AS b_right,
    count(*) FILTER (a.is_right AND NOT b.is_right) AS only_a,
    count(*) FILTER (b.is_right AND NOT a.is_right) AS only_b
FROM pairs
JOIN (FROM right_rows WHERE side = 0) AS a ON a.place = a_place
JOIN (FROM right_rows WHERE side = 1) AS b ON b.place = b_place;

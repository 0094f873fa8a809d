-- The answers of the current plan beside the right labels of their rows, for a report.

-- name: stage_gold
-- `gold` is NULL where a row has no right label.
CREATE OR REPLACE TEMP TABLE gold_rows AS
SELECT
    nullif(trim(json_extract_string(rows.data, $pointer)), '') AS gold,
    json_extract_string(answer, '$.response') AS label,
    CAST(json_extract_string(answer, '$.confidence') AS DOUBLE) AS confidence
FROM row_states JOIN rows USING (row)
WHERE state = 'answered' AND json_valid(answer);

-- name: gold_in_all
SELECT
    count(gold) AS rows,
    count(*) FILTER (gold IS NULL) AS rows_without,
    count(*) FILTER (gold = label) AS right_rows,
    coalesce(avg(confidence) FILTER (gold IS NOT NULL), 0) AS confidence
FROM gold_rows;

-- name: gold_bins
SELECT
    least($bins - 1, CAST(floor(confidence * $bins) AS BIGINT)) AS place,
    count(*) AS rows,
    count(*) FILTER (gold = label) AS right_rows,
    avg(confidence) AS confidence
FROM gold_rows WHERE gold IS NOT NULL GROUP BY place ORDER BY place;

-- name: gold_labels
-- Of each label: the rows of which it is the right one, those that got it, and those of both.
SELECT
    name AS label,
    count(*) FILTER (gold = name) AS gold_rows,
    count(*) FILTER (gold_rows.label = name) AS answered_rows,
    count(*) FILTER (gold = name AND gold_rows.label = name) AS right_rows
FROM gold_rows
JOIN (
    SELECT gold AS name FROM gold_rows WHERE gold IS NOT NULL
    UNION SELECT label FROM gold_rows WHERE gold IS NOT NULL
) AS names ON name IN (gold, gold_rows.label)
WHERE gold IS NOT NULL
GROUP BY name ORDER BY gold_rows DESC, name LIMIT $most;

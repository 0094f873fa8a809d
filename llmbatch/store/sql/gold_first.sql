-- The rows whose right answer is known, and their states.

-- name: stage_gold_first
CREATE OR REPLACE TEMP TABLE gold_first (row BIGINT);

-- name: stage_gold_first_row
INSERT INTO gold_first SELECT CAST(row AS BIGINT) FROM batch;

-- name: gold_first_of_column
SELECT row FROM rows
WHERE trim(coalesce(json_extract_string(data, $pointer), '')) <> '' ORDER BY row;

-- name: gold_first_states
-- `requests`: the different ones, of rows that are asked.
SELECT
    count(*) FILTER (state IN ('answered', 'failed')) AS settled,
    count(*) FILTER (state = 'pending') AS pending,
    count(*) FILTER (state = 'skipped') AS skipped,
    count(DISTINCT key) AS requests
FROM row_states SEMI JOIN gold_first USING (row);

-- name: gold_first_pending
SELECT row FROM row_states SEMI JOIN gold_first USING (row) WHERE state = 'pending' ORDER BY row;

-- name: positions_of_rows
-- The pending requests of rows.
SELECT DISTINCT position
FROM pending JOIN planned_rows USING (key) JOIN current_plan USING (plan)
WHERE row IN (SELECT unnest($rows)) ORDER BY position;

-- name: gold_first_right
-- The settled gold rows, and those of them whose answer is the right one. A failed one is wrong.
SELECT
    count(*) AS rows,
    count(*) FILTER (state = 'answered' AND gold = answered) AS right_rows
FROM (
    SELECT
        state,
        trim(json_extract_string(data, $pointer)) AS gold,
        trim(CASE WHEN $has_fields THEN json_extract_string(answer, '$.response') ELSE answer END)
            AS answered
    FROM row_states SEMI JOIN gold_first USING (row) JOIN rows USING (row)
    WHERE state IN ('answered', 'failed')
);

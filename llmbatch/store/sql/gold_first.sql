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

-- name: gold_first_settled
SELECT row FROM row_states SEMI JOIN gold_first USING (row)
WHERE state IN ('answered', 'failed') ORDER BY row;

-- name: rows_of_input
SELECT row, id, line, data, snapshot, text_at, text_bytes FROM rows
WHERE row > $after AND ($rows IS NULL OR row IN (SELECT unnest($rows)))
ORDER BY row LIMIT $most;

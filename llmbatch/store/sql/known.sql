-- What a finding about a store depends on (see known.py).

-- name: stamp
-- All that rows, plan, answers and flags are. Of what is only appended the numbers say it; forgotten
-- answers show by the times of their checkpoints.
SELECT string_agg(part, ' ' ORDER BY place)
FROM (
    SELECT 1 AS place, concat_ws('/', snapshot, digest, ingested_at) AS part
    FROM (SELECT * FROM snapshots ORDER BY snapshot DESC LIMIT 1)
    UNION ALL
    SELECT 2, concat_ws('/', plan, digest, planned_at)
    FROM (SELECT * FROM plans ORDER BY plan DESC LIMIT 1)
    UNION ALL SELECT 3, concat_ws('/', count(*), max(committed_at)) FROM checkpoints
    UNION ALL SELECT 4, concat_ws('/', count(*)) FROM rows
    UNION ALL SELECT 5, concat_ws('/', count(*)) FROM rejects
    UNION ALL SELECT 6, concat_ws('/', count(*)) FROM planned_rows
    UNION ALL SELECT 7, concat_ws('/', count(*)) FROM requests
    UNION ALL SELECT 8, concat_ws('/', count(*)) FROM attempts
    UNION ALL SELECT 9, concat_ws('/', count(*)) FROM reopenings
    UNION ALL SELECT 10, concat_ws('/', count(*), bit_xor(hash(held))) FROM escalations AS held
    UNION ALL SELECT 11, concat_ws('/', count(*), bit_xor(hash(held))) FROM cascade_stages AS held
    UNION ALL SELECT 12, concat_ws('/', count(*), bit_xor(hash(held))) FROM shares AS held
    UNION ALL SELECT 13, concat_ws('/', count(*), bit_xor(hash(held))) FROM flags AS held
);

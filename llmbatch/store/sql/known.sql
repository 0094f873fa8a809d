-- What a finding about a store depends on (see known.py).

-- name: stamp
-- All that rows, plan, answers and flags are. Of what is only appended the numbers say it; forgotten
-- answers show by the times of their checkpoints.
SELECT concat_ws(
    ' ',
    (SELECT concat_ws('/', snapshot, digest, ingested_at) FROM snapshots ORDER BY snapshot DESC LIMIT 1),
    (SELECT concat_ws('/', plan, digest, planned_at) FROM plans ORDER BY plan DESC LIMIT 1),
    (SELECT concat_ws('/', count(*), max(committed_at)) FROM checkpoints),
    (SELECT count(*) FROM rows),
    (SELECT count(*) FROM rejects),
    (SELECT count(*) FROM planned_rows),
    (SELECT count(*) FROM requests),
    (SELECT count(*) FROM attempts),
    (SELECT count(*) FROM reopenings),
    (SELECT concat_ws('/', count(*), bit_xor(hash(held))) FROM escalations AS held),
    (SELECT concat_ws('/', count(*), bit_xor(hash(held))) FROM cascade_stages AS held),
    (SELECT concat_ws('/', count(*), bit_xor(hash(held))) FROM shares AS held),
    (SELECT concat_ws('/', count(*), bit_xor(hash(held))) FROM flags AS held)
);

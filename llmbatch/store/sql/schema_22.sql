-- Schema version 22: shards.

-- name: shares
-- Of a store that holds one of `shards` parts of a snapshot: which one, and how many rows, rejects and
-- requests the whole has. `asked` names all that shapes the requests of the whole. Made again of the
-- input, like the rows.
CREATE TABLE shares (
    snapshot INTEGER NOT NULL,
    shard INTEGER NOT NULL,
    shards INTEGER NOT NULL,
    asked VARCHAR NOT NULL,
    rows BIGINT NOT NULL,
    rejects BIGINT NOT NULL,
    requests BIGINT NOT NULL,
    CONSTRAINT shard_is_one_of_all CHECK (shard BETWEEN 1 AND shards)
);

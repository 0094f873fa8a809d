-- Schema version 17: `told`: the try was told of the failed answer before it (`--feedback`).

-- name: attempts_told
ALTER TABLE attempts ADD COLUMN told BOOLEAN DEFAULT 'f';

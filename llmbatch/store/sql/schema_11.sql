-- Schema version 11: of long texts, their places in the file beside the store: where they begin, and
-- their bytes. In the table there is a part of them. Older versions held all of them.

-- name: rows_text_at
ALTER TABLE rows ADD COLUMN text_at BIGINT;

-- name: rows_text_bytes
ALTER TABLE rows ADD COLUMN text_bytes BIGINT;

-- name: requests_text_at
ALTER TABLE requests ADD COLUMN text_at BIGINT;

-- name: requests_text_bytes
ALTER TABLE requests ADD COLUMN text_bytes BIGINT;

-- name: requests_text_characters
ALTER TABLE requests ADD COLUMN text_characters BIGINT;

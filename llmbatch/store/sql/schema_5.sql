-- Schema version 5: transactions are linked to the ones before, here and in the journal.

-- name: commits_link
-- A digest of the transaction and of the link before (see frames.py); none in what was committed
-- before this version.
ALTER TABLE commits ADD COLUMN link BLOB;

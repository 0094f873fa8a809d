-- Schema version 12: a request may be reopened with another limit for its answer (tokens); NULL: the
-- next try has that of the job, doubled as after each answer that was cut.

-- name: reopenings_max_tokens
ALTER TABLE reopenings ADD COLUMN max_tokens BIGINT;

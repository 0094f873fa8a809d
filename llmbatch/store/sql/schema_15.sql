-- Schema version 15: an attempt may have the log probabilities of its tokens (JSON, see `Completed`).

-- name: attempts_logprobs
ALTER TABLE attempts ADD COLUMN logprobs VARCHAR;

-- Schema version 8: what a model thought before its answer, and how many of the output tokens that
-- took; NULL in attempts of older versions and of models that do not think.

-- name: attempts_reasoning
ALTER TABLE attempts ADD COLUMN reasoning VARCHAR;

-- name: attempts_reasoning_tokens
ALTER TABLE attempts ADD COLUMN reasoning_tokens BIGINT;

-- Schema version 7: what a row asks for beside its messages, a JSON object; none in most jobs.

-- name: requests_body
ALTER TABLE requests ADD COLUMN body VARCHAR;

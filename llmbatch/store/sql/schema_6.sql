-- Schema version 6: views are no part of the file any more (see states.sql).

-- name: row_states
DROP VIEW row_states;

-- name: pending
DROP VIEW pending;

-- name: failed_tries
DROP VIEW failed_tries;

-- name: settled
DROP VIEW settled;

-- name: current_plan
DROP VIEW current_plan;

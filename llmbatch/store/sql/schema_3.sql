-- Schema version 3: the order of a record's fields in a prompt, and what was forecast of a run.

-- name: field_orders
-- The order in which `{{ record }}` writes the fields of a row, as a JSON array of column names;
-- those that it does not name follow as they came, so an empty one is the order of the input.
-- It is part of every prompt, so a job keeps the one that it used last (the newest record).
CREATE TABLE field_orders (
    columns VARCHAR NOT NULL,
    chosen_at TIMESTAMP NOT NULL
);

-- name: forecasts
-- What the prefix cache was expected to serve in a run, as JSON.
CREATE TABLE forecasts (
    run INTEGER NOT NULL,
    made_at TIMESTAMP NOT NULL,
    forecast VARCHAR NOT NULL
);

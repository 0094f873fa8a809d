-- Figures of the rows of the current snapshot, column by column, and the profiles that are kept of them.

-- name: profile_values
CREATE OR REPLACE TEMP TABLE profile_values (row BIGINT, place INTEGER, value VARCHAR, size BIGINT);

-- name: row_sizes
-- The bytes of neighbouring rows.
SELECT min(row), max(row), CAST(sum(strlen(data)) AS BIGINT) FROM rows GROUP BY row // 512 ORDER BY 1;

-- name: row_values
-- The values of some of the rows; of long ones the beginning. `places` and `pointers`: the columns.
SELECT row, place, left(value, $most) AS value, length(value) AS size
FROM (
    SELECT
        row, unnest($places) AS place, unnest(json_extract_string(data, $pointers)) AS value
    FROM rows WHERE row BETWEEN $first AND $last AND hash(row) % $every = 0
);

-- name: column_counts
SELECT
    place,
    count(*) AS rows,
    count(*) FILTER (value IS NULL) AS nulls,
    count(*) FILTER (trim(value) = '') AS blanks,
    count(DISTINCT hash(value)) FILTER (trim(value) <> '') AS kinds,
    count(*) FILTER (isfinite(TRY_CAST(value AS DOUBLE))) AS numbers,
    count(*) FILTER (regexp_matches(value, '^\s*[0-9]{4}-[0-9]{2}-[0-9]{2}([ T].*)?$')) AS dates,
    count(*) FILTER (contains(trim(value), ' ')) AS spaced,
    CAST(coalesce(sum(size), 0) AS BIGINT) AS characters
FROM profile_values GROUP BY place ORDER BY place;

-- name: column_lengths
-- Four classes for each doubling of the length (characters).
SELECT place, CAST(floor(4 * log2(1 + size)) AS INTEGER) AS class, count(*) AS rows
FROM profile_values WHERE trim(value) <> '' GROUP BY ALL ORDER BY ALL;

-- name: column_amounts
-- Sixteen classes for each doubling of a number, from thousandths on.
SELECT
    place,
    CAST(sign(number) * floor(1 + 16 * log2(1 + 1000 * abs(number))) AS INTEGER) AS class,
    count(*) AS rows
FROM (SELECT place, TRY_CAST(value AS DOUBLE) AS number FROM profile_values)
WHERE isfinite(number) GROUP BY ALL ORDER BY ALL;

-- name: column_values
SELECT place, value, rows FROM (
    SELECT place, left(value, $most) AS value, count(*) AS rows
    FROM profile_values WHERE list_contains($places, place) AND trim(value) <> ''
    GROUP BY place, profile_values.value
)
QUALIFY row_number() OVER (PARTITION BY place ORDER BY rows DESC, value) <= $kept
ORDER BY place, rows DESC, value;

-- name: column_words
-- The rows that have a word, for the words that most rows have.
SELECT place, word, count(*) AS rows
FROM (
    SELECT
        place, unnest(list_distinct(regexp_extract_all(lower(value), '[\pL\pN_]+'))) AS word
    FROM profile_values
    WHERE list_contains($places, place) AND hash(row) // 64 % $every = 0
)
WHERE length(word) BETWEEN 2 AND 40
GROUP BY place, word
QUALIFY row_number() OVER (PARTITION BY place ORDER BY count(*) DESC, word) <= $kept
ORDER BY place, rows DESC, word;

-- name: rows_with_words
SELECT place, count(*) FROM profile_values
WHERE list_contains($places, place) AND hash(row) // 64 % $every = 0 AND trim(value) <> ''
GROUP BY place;

-- name: column_texts
SELECT value FROM profile_values WHERE place = $place AND size >= $least
ORDER BY hash(row), row LIMIT $most;

-- name: repeated_values
-- Of all rows, those with some of the values: equal ones are all among them.
SELECT place, count(*) AS rows, count(*) - count(DISTINCT value) AS repeated
FROM profile_hashes GROUP BY place;

-- name: profile_hashes
CREATE OR REPLACE TEMP TABLE profile_hashes (place INTEGER, value UBIGINT);

-- name: row_hashes
-- The unnesting keeps the conditions out of the parsing, which would be done for each of them.
SELECT place, hash(value) AS value
FROM (
    SELECT unnest($places) AS place, unnest(json_extract_string(data, $pointers)) AS value
    FROM rows WHERE row BETWEEN $first AND $last
)
WHERE trim(value) <> '' AND hash(value) % $every = 0;

-- name: drop_hashes
DROP TABLE profile_hashes;

-- name: drop_values
DROP TABLE profile_values;

-- name: kept_profiles
SELECT taken_at, digest, scope, profile, drift FROM {store}.input_profiles ORDER BY rowid;

-- name: has_profiles
SELECT EXISTS (
    FROM duckdb_tables() WHERE database_name = $store AND table_name = 'input_profiles'
);

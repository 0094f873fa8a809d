"""A row of an error file that is fed back in is the row that it was."""

from llmbatch.core.records import Record
from llmbatch.pipeline.rows.error_rows import ErrorRows

ERROR = '{"kind":"truncated","message":"cut off","attempts":2,"answer":"a"}'


def after(error_rows: ErrorRows, data: str) -> str:
    return error_rows(Record(1, data)).data


def test_the_error_of_a_former_run_is_taken_off() -> None:
    error_rows = ErrorRows()
    assert after(error_rows, f'{{"id":"007","n":1.10,"error":{ERROR}}}') == '{"id":"007","n":1.10}'
    assert error_rows.columns(["id", "n", "error"]) == ["id", "n"]


def test_a_column_of_the_users_own_stays() -> None:
    error_rows = ErrorRows()
    for data in ('{"error":"disk full"}', '{"error":{"kind":"x"}}', '{"error":null}'):
        assert after(error_rows, data) == data
    assert error_rows.columns(["error"]) == ["error"]


def test_a_column_that_some_rows_have_as_their_own_stays() -> None:
    error_rows = ErrorRows()
    after(error_rows, f'{{"error":{ERROR}}}')
    after(error_rows, '{"error":"mine"}')
    assert error_rows.columns(["error"]) == ["error"]


def test_the_word_elsewhere_is_no_column() -> None:
    error_rows = ErrorRows()
    data = '{"text":"an \\"error\\" here","deep":{"error":{"kind":1,"message":2,"attempts":3}}}'
    assert after(error_rows, data) == data

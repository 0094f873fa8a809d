"""A row of an error file that is fed back in is the row that it was."""

from llmbatch.core.records import Record
from llmbatch.pipeline.rows.error_rows import Mended

ERROR = '{"kind":"truncated","message":"cut off","attempts":2,"answer":"a"}'


def after(mended: Mended, data: str) -> str:
    return mended(Record(1, data)).data


def test_the_error_of_a_former_run_is_taken_off() -> None:
    mended = Mended()
    assert after(mended, f'{{"id":"007","n":1.10,"error":{ERROR}}}') == '{"id":"007","n":1.10}'
    assert mended.columns(["id", "n", "error"]) == ["id", "n"]


def test_a_column_of_the_users_own_stays() -> None:
    mended = Mended()
    for data in ('{"error":"disk full"}', '{"error":{"kind":"x"}}', '{"error":null}'):
        assert after(mended, data) == data
    assert mended.columns(["error"]) == ["error"]


def test_a_column_that_some_rows_have_as_their_own_stays() -> None:
    mended = Mended()
    after(mended, f'{{"error":{ERROR}}}')
    after(mended, '{"error":"mine"}')
    assert mended.columns(["error"]) == ["error"]


def test_the_word_elsewhere_is_no_column() -> None:
    mended = Mended()
    data = '{"text":"an \\"error\\" here","deep":{"error":{"kind":1,"message":2,"attempts":3}}}'
    assert after(mended, data) == data

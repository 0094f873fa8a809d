"""One option, however it is spelled."""

import pytest

from llmbatch.core.option_name import plain_name, written_names


@pytest.mark.parametrize("written", ["max_num_seqs", "max-num-seqs", "--max-num-seqs"])
def test_every_spelling_is_the_same_option(written: str) -> None:
    assert plain_name(written) == "max_num_seqs"
    assert written_names([written, "seed"]) == {"max_num_seqs": written, "seed": "seed"}

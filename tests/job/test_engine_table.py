from pathlib import Path
from typing import Any

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.job import engine_table

PATH = Path("job.toml")
KEY = {"name": "openai", "base_url": "http://127.0.0.1:1/v1", "api_key_env": "AWS_SECRET"}


@pytest.mark.parametrize(
    "table", [{"engine": KEY}, {"model": [{"name": "a"}, {"name": "b", "engine": KEY}]}]
)
def test_a_job_file_names_no_variable_whose_value_servers_get(table: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"engine\.api_key_env names a variable.*--api-key-env"):
        engine_table.check_code(table, PATH, {})


def test_a_variable_that_a_flag_names_is_its_users_choice() -> None:
    engine_table.check_code({"engine": KEY}, PATH, {"engine": {"api_key_env": "MY_KEY"}})
    without = {name: value for name, value in KEY.items() if name != "api_key_env"}
    engine_table.check_code({"engine": without}, PATH, {})

import socket
from collections.abc import Iterator

import pytest

from llmbatch.core import clock
from llmbatch.core.errors import UsageError
from llmbatch.engines.ray import address


@pytest.fixture
def unused() -> Iterator[str]:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{holder.getsockname()[1]}"


@pytest.mark.parametrize("text", ["10.0.0.1:6379", "head:1", "[::1]:6379"])
def test_a_host_and_its_port_are_taken(text: str) -> None:
    assert address.checked(text) == text


def test_without_one_the_cluster_is_our_own() -> None:
    assert address.checked(None) is address.checked("local") is None


def test_auto_is_the_variable_of_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert address.checked("auto") == "auto"
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    assert address.checked("auto") == "10.0.0.1:6379"


@pytest.mark.parametrize("text", ["head", "head:", ":6379", "head:x", "head:0", "ray://a:10001"])
def test_other_forms_are_refused_with_the_right_one(text: str) -> None:
    with pytest.raises(UsageError, match=r"--ray-address .*host:port"):
        address.checked(text)


def test_an_address_where_no_cluster_is_costs_no_minutes(unused: str) -> None:
    began = clock.seconds()
    with pytest.raises(UsageError, match=f"{unused}: no Ray cluster answers there"):
        address.probe(unused)
    assert clock.seconds() - began < 2 * address.PROBE_SECONDS
    assert not address.answers(unused)

"""The URLs of servers: which are taken, and which are near enough to go without encryption."""

import pytest

from llmbatch.engines.http.addresses import Address, SecretError


@pytest.mark.parametrize(
    ("url", "base", "root"),
    [
        ("http://localhost:8000/v1", "http://localhost:8000/v1", "http://localhost:8000"),
        ("http://localhost:8000", "http://localhost:8000/v1", "http://localhost:8000"),
        ("https://api.example.com/v1/", "https://api.example.com/v1", "https://api.example.com"),
        ("https://h:443/serve/v1", "https://h/serve/v1", "https://h/serve"),
        ("http://[::1]:80/v2", "http://[::1]/v2", "http://[::1]/v2"),
    ],
)
def test_a_url_is_put_in_one_form(url: str, base: str, root: str) -> None:
    address = Address.parsed(url)
    assert (address.base, address.root) == (base, root)


@pytest.mark.parametrize(
    "url", ["", "localhost:8000", "ftp://h/v1", "http:///v1", "http://h:0x/v1", "http://h h/v1"]
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|port"):
        Address.parsed(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://user:planted@h/v1",
        "https://planted@h/v1",
        "https://h/v1?api_key=planted",
        "https://h/v1#planted",
        "https://[planted/v1",
    ],
)
def test_a_secret_in_a_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(SecretError) as caught:
        Address.parsed(url)
    assert "planted" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "near"),
    [
        ("localhost", True), ("127.0.0.5", True), ("[::1]", True), ("10.1.2.3", True),
        ("192.168.0.9", True), ("172.16.0.1", True), ("100.64.1.1", True), ("[fd00::1]", True),
        ("vllm", True), ("vllm.ns.svc", True), ("gpu7.local", True), ("node.lan", True),
        ("8.8.8.8", False), ("api.example.com", False), ("172.32.0.1", False),
        ("local.example.com", False), ("[2001:4860::1]", False),
    ],
)  # fmt: skip
def test_this_machine_and_private_networks_are_near(host: str, near: bool) -> None:
    assert Address.parsed(f"http://{host}:8000/v1").is_near is near

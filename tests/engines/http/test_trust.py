"""Trust in servers that get requests and key: encryption, redirects, proxies."""

from pathlib import Path

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.engines.http.addresses import Address
from llmbatch.engines.http.trust import Trust, unused_proxies

FAR = Address.parsed("http://api.example.com/v1")
NEAR = Address.parsed("http://localhost:8000/v1")
SAFE = Address.parsed("https://api.example.com/v1")


def test_servers_far_away_are_asked_with_encryption_only() -> None:
    Trust().check([NEAR, SAFE])
    Trust(plain_http=True).check([FAR])
    with pytest.raises(UsageError, match="plain_http=true"):
        Trust().check([NEAR, FAR])


def test_a_file_of_certificates_must_hold_some(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        Trust(ca_file=str(tmp_path / "none.pem")).check([SAFE])
    path = tmp_path / "odd.pem"
    path.write_text("no certificate")
    with pytest.raises(UsageError, match="holds no certificates"):
        Trust(ca_file=str(path)).check([SAFE])


def test_redirects_are_followed_on_the_same_host_only() -> None:
    here = "https://api.example.com/other/chat"
    assert Trust().redirected(SAFE, 307, "/other/chat") == here
    with pytest.raises(UsageError, match=r"redirect .301. to https://api.example.com/other/chat"):
        Trust().redirected(SAFE, 301, here)
    with pytest.raises(UsageError, match=r"sends requests on to https://elsewhere.com/x: give"):
        Trust().redirected(SAFE, 307, "https://elsewhere.com/x?key=secret")
    elsewhere = "https://elsewhere.com/x"
    assert Trust(redirects=True).redirected(SAFE, 308, elsewhere) == elsewhere
    with pytest.raises(UsageError):
        Trust(redirects=True).redirected(SAFE, 307, "http://api.example.com/x")


def test_proxies_are_used_when_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert unused_proxies() == ""
    monkeypatch.setenv("HTTPS_PROXY", "http://me:proxy-password@p:3128")
    monkeypatch.setenv("NO_PROXY", "internal.example.com")
    assert Trust().proxy_for(SAFE) is None
    assert "HTTPS_PROXY is set" in unused_proxies()
    asked = Trust(proxy="environment")
    assert asked.proxy_for(SAFE) == "http://me:proxy-password@p:3128"
    assert asked.proxy_for(Address.parsed("https://internal.example.com")) is None
    assert asked.secrets() == ["proxy-password"]
    assert Trust(proxy="http://p:1").proxy_for(SAFE) == "http://p:1"
    with pytest.raises(UsageError, match="HTTPS_PROXY") as caught:
        Trust(proxy="http://me:proxy-password@p:1").check([SAFE])
    assert "proxy-password" not in str(caught.value)

"""Encrypted connections, redirects and proxies, with real servers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from llmbatch.core.errors import EngineError, UsageError
from llmbatch.core.outcomes import Completed
from llmbatch.engines.config import EngineConfig, Servers
from llmbatch.engines.http.engine import HttpEngine, create
from tests.engines.http.starting import answered
from tests.engines.vllm.requests import ask
from tests.servers.certificates import self_signed
from tests.servers.process import ServerProcess, serving

KEY = "sk-planted-key-0815"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def encrypted(files: tuple[Path, Path]) -> Iterator[ServerProcess]:
    certificate, private = files
    with serving(certificate=str(certificate), certificate_key=str(private)) as server:
        yield server


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVER_KEY", KEY)


def engine(url: str, **options: object) -> HttpEngine:
    return create(EngineConfig("scripted", options, servers=Servers((url,), "SERVER_KEY")))


def assert_answers(running: HttpEngine) -> None:
    request = ask("hello")
    assert isinstance(answered(running, request)[request.key], Completed)


def test_a_certificate_that_nobody_vouches_for_is_refused(encrypted: ServerProcess) -> None:
    message = r"certificate of https://127\.0\.0\.1:\d+ is not accepted.*ca_file=PATH"
    with pytest.raises(EngineError, match=message), engine(encrypted.url):
        pass


def test_one_that_the_job_names_is_accepted_for_its_own_host(
    encrypted: ServerProcess, files: tuple[Path, Path]
) -> None:
    trusting = {"ca_file": str(files[0])}
    with engine(encrypted.url, **trusting) as running:
        assert_answers(running)
    other = encrypted.url.replace("127.0.0.1", "localhost")
    with pytest.raises(EngineError, match="give the name that it is made out for"):
        engine(other, **trusting).__enter__()


def test_a_redirect_to_another_host_is_refused_unless_asked() -> None:
    with serving() as server, serving(redirect=server.root) as first:
        with pytest.raises(EngineError, match=rf"sends requests on to {server.url}"):
            engine(first.url).__enter__()
        assert server.seen()["statuses"] == {}
        with engine(first.url, redirects=True) as running:
            assert_answers(running)
        (headers,) = server.seen()["headers"]
        assert "Authorization" not in headers


def test_a_proxy_of_the_environment_is_used_only_if_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://me:proxy-password@127.0.0.1:9")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        with engine(server.url) as running:
            assert_answers(running)
        with pytest.raises(EngineError, match=r"127\.0\.0\.1:9") as caught:
            engine(server.url, proxy="environment").__enter__()
        assert "proxy-password" not in str(caught.value)
        assert KEY not in repr(caught.getrepr(showlocals=False, style="long"))


def test_servers_far_away_are_not_asked_without_encryption() -> None:
    with pytest.raises(UsageError, match="plain_http=true"):
        engine("http://api.example.com/v1")

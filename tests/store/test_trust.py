"""A state folder that others can fill is refused, and the content of a store is only data."""

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from llmbatch.core.errors import ExitCode
from llmbatch.store import history, own_store, results, trust
from llmbatch.store.database import Database
from llmbatch.store.journal import DamagedError
from llmbatch.store.lock import JobLock
from llmbatch.store.opening import open_store
from llmbatch.store.repair import repair
from llmbatch.store.trust import UntrustedError
from tests.store.older import make_older

SOMEBODY = 12_345
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def state(tmp_path: Path, healthy: Database) -> Path:
    """The folder of a store that is closed."""
    healthy.close()
    return Path(shutil.move(tmp_path, tmp_path.with_name("state")))


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust, "_everybody", False)
    trust.trust_everybody()


def modes(state: Path) -> set[int]:
    files = [path for path in state.iterdir() if path.is_file()]
    return {stat.S_IMODE(path.lstat().st_mode) for path in files}


def given_away(state: Path) -> None:
    os.chown(state, SOMEBODY, SOMEBODY)


def with_a_foreign_file(state: Path) -> None:
    os.chown(state / "journal", SOMEBODY, SOMEBODY)


def open_to_all(state: Path) -> None:
    state.chmod(0o777)


def with_a_file_open_to_all(state: Path) -> None:
    state.chmod(0o755)
    (state / "job.duckdb").chmod(0o666)


def linked(state: Path, name: str = "job.duckdb") -> None:
    (state / name).replace(state.with_name("elsewhere"))
    (state / name).symlink_to(state.with_name("elsewhere"))


def with_a_pipe(state: Path) -> None:
    os.mkfifo(state / "status.json")


REFUSED = [
    pytest.param(given_away, "the state folder belongs to user 12345", marks=as_root),
    pytest.param(with_a_foreign_file, "a file of the job belongs to user 12345", marks=as_root),
    (open_to_all, "others can write to the state folder (mode 0777)"),
    (with_a_file_open_to_all, "others can write to a file of the job (mode 0666)"),
]
ODD = [
    (linked, "job.duckdb: is a link, which no run has made"),
    (lambda state: linked(state, "journal"), "journal: is a link, which no run has made"),
    (with_a_pipe, "status.json: is not a file, which no run has made"),
]


@pytest.mark.parametrize(("changed", "words"), [*REFUSED, *ODD])
def test_what_others_could_have_filled_is_refused(
    state: Path, changed: Callable[[Path], None], words: str
) -> None:
    changed(state)
    before = {path: path.lstat().st_mtime_ns for path in state.iterdir()}
    for use in (
        lambda: open_store(state / "job.duckdb"),
        lambda: open_store(state / "job.duckdb", read_only=True),
        lambda: JobLock(state / "job.lock").__enter__(),
    ):
        with pytest.raises(UntrustedError) as caught:
            use()
        assert words in str(caught.value)
        assert caught.value.exit_code == ExitCode.USAGE
    assert {path: path.lstat().st_mtime_ns for path in state.iterdir()} == before


@pytest.mark.usefixtures("trusting")
@pytest.mark.parametrize(("changed", "words"), REFUSED)
def test_a_shared_folder_can_be_trusted(
    state: Path, changed: Callable[[Path], None], words: str
) -> None:
    assert words
    changed(state)
    mode = stat.S_IMODE(state.stat().st_mode)
    with JobLock(state / "job.lock"), open_store(state / "job.duckdb") as db:
        assert results.counts(db).answered == 2
    assert stat.S_IMODE(state.stat().st_mode) == mode


@pytest.mark.usefixtures("trusting")
@pytest.mark.parametrize(("changed", "words"), ODD)
def test_a_link_is_never_followed(state: Path, changed: Callable[[Path], None], words: str) -> None:
    changed(state)
    with pytest.raises(UntrustedError) as caught:
        open_store(state / "job.duckdb")
    assert words in str(caught.value)


def test_the_folder_itself_may_be_a_link_of_ours(state: Path) -> None:
    link = state.with_name("link")
    link.symlink_to(state)
    with JobLock(link / "job.lock"), open_store(link / "job.duckdb") as db:
        assert results.counts(db).answered == 2


def test_the_files_of_a_job_are_private(state: Path) -> None:
    """Those of older versions, too, which were as open as the umask left them."""
    state.chmod(0o755)
    for path in state.iterdir():
        path.chmod(0o644)
    (state / "notes.txt").write_text("not of the job")
    (state / "notes.txt").chmod(0o640)
    with JobLock(state / "job.lock"), open_store(state / "job.duckdb") as db:
        (state / "status.json").write_text("{}")
        assert results.counts(db).answered == 2
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert modes(state) == {0o600, 0o640}


def test_a_new_store_is_private(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir(mode=0o700)
    with JobLock(tmp_path / "new/job.lock"):
        open_store(tmp_path / "new/job.duckdb").close()
    assert modes(tmp_path / "new") == {0o600}


@pytest.mark.usefixtures("trusting")
def test_in_a_shared_folder_files_are_as_open_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new").chmod(0o770)
    with JobLock(tmp_path / "new/job.lock"):
        open_store(tmp_path / "new/job.duckdb").close()
    assert modes(tmp_path / "new") == {0o660}


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path.with_name("secret.txt")
    path.write_text("nobody's business")
    return path


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_text('{}')",
        "SELECT * FROM read_csv('{}')",
        "SELECT * FROM '{}'",
        "COPY runs TO '{}'",
        "ATTACH '{}' AS other",
        "COPY runs FROM '{}'",
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
        "RESET enable_external_access",
        "SET memory_limit = '1GB'",
        "SET temp_directory = '/tmp'",
        "INSTALL httpfs",
        "LOAD httpfs",
    ],
)
@pytest.mark.parametrize("read_only", [True, False])
def test_no_statement_reaches_other_files(
    state: Path, secret: Path, statement: str, read_only: bool
) -> None:
    with open_store(state / "job.duckdb", read_only=read_only) as db:
        for connection in (db, db.cursor()):
            with pytest.raises(Exception, match=r"disabled|locked|[Pp]ermission|Cannot|not exist"):
                connection.execute(statement.format(secret))
    assert secret.read_text() == "nobody's business"


def evil(state: Path, statement: str) -> None:
    """Change the file as another user could, by a statement of DuckDB."""
    with duckdb.connect(str(state / "job.duckdb")) as connection:
        connection.execute(statement)


@pytest.fixture
def view(secret: Path) -> str:
    return f"SELECT content AS settled FROM read_text('{secret}')"


@pytest.mark.parametrize(
    ("before", "name", "told"),
    [
        ((), "settled", "its view 'settled' is unknown"),
        (("DROP TABLE attempts",), "attempts", "it has no table 'attempts', its view"),
        ((), "strange", "its view 'strange' is unknown"),
    ],
)
def test_a_store_with_views_of_others_is_refused_and_repaired(
    state: Path, view: str, before: tuple[str, ...], name: str, told: str
) -> None:
    for statement in (*before, f"CREATE VIEW {name} AS {view}"):
        evil(state, statement)
    for read_only in (True, False):
        with pytest.raises(DamagedError) as caught:
            open_store(state / "job.duckdb", read_only=read_only)
        assert told in str(caught.value)
        assert f"llmbatch repair {state}" in str(caught.value)
    assert repair(state / "job.duckdb").answers == 1
    with open_store(state / "job.duckdb", read_only=True) as db:
        assert db.scalar("SELECT count(*) FROM duckdb_views() WHERE database_name = 'job'") == 0


def test_the_views_of_an_older_store_are_not_read_either(state: Path, view: str) -> None:
    make_older(state / "job.duckdb", 5)
    evil(state, f"CREATE OR REPLACE VIEW settled AS {view}")
    with open_store(state / "job.duckdb") as db:
        assert results.counts(db).answered == 2
        assert set(results.violations(db).values()) == {0}


@pytest.mark.parametrize("version", [1, 2, 5])
def test_a_plan_reads_no_view_of_the_former_store(
    state: Path, tmp_path: Path, view: str, version: int
) -> None:
    make_older(state / "job.duckdb", version)
    evil(state, f"CREATE OR REPLACE VIEW settled AS {view}")
    (tmp_path / "aside").mkdir(parents=True)
    with open_store(tmp_path / "aside/job.duckdb", beside=state) as db:
        assert history.pending_work(db, state / "job.duckdb", lambda _: True).history.answers == [1]
        with own_store.attached(db, state / "job.duckdb"):
            assert db.scalar("SELECT count(*) FROM own_settled") == 2


def test_a_plan_refuses_a_store_that_is_not_ours(state: Path, tmp_path: Path, view: str) -> None:
    evil(state, f"CREATE VIEW strange AS {view}")
    (tmp_path / "aside").mkdir(parents=True)
    with open_store(tmp_path / "aside/job.duckdb", beside=state) as db:
        with pytest.raises(DamagedError, match="its view 'strange' is unknown"):
            history.pending_work(db, state / "job.duckdb", lambda _: True)
        state.chmod(0o777)
        with pytest.raises(UntrustedError):
            history.pending_work(db, state / "job.duckdb", lambda _: True)


@pytest.fixture(autouse=True)
def _trust_is_taken_back() -> Iterator[None]:
    yield
    trust._everybody = False

"""One owner for each thing that must not be done in two ways."""

import ast
import re
from collections.abc import Callable, Iterator

import pytest

from tests.layout.sources import PACKAGE, SOURCES, parsed

SQL = re.compile(r"\s*(SELECT|INSERT INTO|UPDATE \w+ SET|DELETE FROM|CREATE \w+|ATTACH|PRAGMA)\s")

MODE = re.compile(r"[rwaxbt]*[wax+][bt]?")

Finder = Callable[[ast.AST], Iterator[ast.AST]]


def attributes(tree: ast.AST, module: str, names: set[str]) -> Iterator[ast.AST]:
    """Uses of `module.name`, and imports of the name from the module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in names:
            if isinstance(node.value, ast.Name) and node.value.id == module:
                yield node
        elif isinstance(node, ast.ImportFrom) and node.module == module:
            yield from (node for alias in node.names if alias.name in names)


def calls(tree: ast.AST) -> Iterator[tuple[ast.Call, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node, node.func.attr


def reads_time(tree: ast.AST) -> Iterator[ast.AST]:
    """Anything of `time` but `sleep`, which reads nothing; today and now of `datetime`."""
    clocks = {"time", "monotonic", "perf_counter", "process_time", "localtime", "gmtime"}
    clocks |= {f"{name}_ns" for name in clocks}
    yield from attributes(tree, "time", clocks)
    yield from attributes(tree, "datetime", {"now", "utcnow", "today"})
    yield from attributes(tree, "date", {"today"})


def renames(tree: ast.AST) -> Iterator[ast.AST]:
    """Path.rename, Path.replace (one argument; str.replace has two), os.replace, shutil.move."""
    for node, name in calls(tree):
        on_os = isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == "os"
        one_path = len(node.args) == 1 and not node.keywords
        if name in ("rename", "renames") or (name == "replace" and (one_path or on_os)):
            yield node
    yield from attributes(tree, "shutil", {"move"})
    yield from attributes(tree, "os", {"replace", "rename", "renames"})


def writes_stderr(tree: ast.AST) -> Iterator[ast.AST]:
    """sys.stderr in any use but asking or flushing it, and click.echo(err=True)."""
    harmless = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in ("isatty", "flush", "fileno")
    }
    for node in attributes(tree, "sys", {"stderr", "__stderr__"}):
        if id(node) not in harmless:
            yield node
    for node, _ in calls(tree):
        yield from (node for keyword in node.keywords if keyword.arg == "err")


def prints(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "click.echo"):
            yield node


def hashes(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (node for alias in node.names if alias.name == "hashlib")
        elif isinstance(node, ast.ImportFrom) and node.module == "hashlib":
            yield node


def ends_process(tree: ast.AST) -> Iterator[ast.AST]:
    yield from attributes(tree, "sys", {"exit"})
    yield from attributes(tree, "os", {"_exit"})


def says_sql(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.match(node.value):
            yield node


def opens_to_write(tree: ast.AST) -> Iterator[ast.AST]:
    """Path.open with a mode that writes, Path.write_text and the like, os.open with such flags."""
    for node, name in calls(tree):
        texts = [part.value for part in node.args[:2] if isinstance(part, ast.Constant)]
        writes = any(isinstance(text, str) and MODE.fullmatch(text) for text in texts)
        if name in ("write_text", "write_bytes", "touch") or (name == "open" and writes):
            yield node
    yield from attributes(tree, "os", {"O_WRONLY", "O_RDWR", "O_CREAT"})
    yield from attributes(tree, "tempfile", {"NamedTemporaryFile", "mkstemp"})


def calls_of(*names: str) -> Finder:
    """Finds calls of functions and classes with these names, however they are qualified."""

    def finder(tree: ast.AST) -> Iterator[ast.AST]:
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func).rpartition(".")[2]
                if called in names:
                    yield node

    return finder


def detects_formats(tree: ast.AST) -> Iterator[ast.AST]:
    yield from attributes(tree, "formats", {"detect"})


OWNERS: dict[str, tuple[Finder, set[str]]] = {
    "reads time": (reads_time, {"core/clock.py"}),
    "renames files": (renames, {"core/files.py"}),
    "opens files to write": (
        opens_to_write,
        {"core/drafts.py", "engines/", "cli/console.py", "cli/eventlog.py"},
    ),
    "writes stderr": (writes_stderr, {"cli/console.py"}),
    "prints": (prints, {"cli/console.py"}),
    "hashes": (
        hashes,
        {
            "pipeline/prompts/keys.py",
            "batch_files/responses.py",
            "engines/adapter_files.py",
            "engines/digests.py",
            "engines/model_files.py",
            "engines/private_notes.py",
            "pipeline/rows/ingest.py",
            "pipeline/rows/proven_output.py",
            "pipeline/tasks/samples.py",
            "quality/made_by.py",
            "store/frames.py",
            "store/known.py",
            "store/long_texts.py",
            "store/running_code.py",
        },
    ),
    "ends the process": (
        ends_process,
        {"cli/console.py", "engines/vllm/processes.py", "pipeline/run/stop_request.py"},
    ),
    "says SQL": (says_sql, {"store/"}),
    # What follows from a spec is made once, for the ready job; its helper process has its own.
    "compiles prompts": (
        calls_of("Prompt"),
        {"pipeline/prompts/job_prompt.py", "pipeline/prompts/rendering.py"},
    ),
    "makes a sampling or a constraint": (
        calls_of("to_sampling", "to_constraint"),
        {"pipeline/tasks/generate.py"},
    ),
    # A log is checked before a job is ready; a command that only looks needs none that is.
    "derives a job's paths": (
        calls_of("paths_for"),
        {"pipeline/prompts/ready_job.py", "pipeline/run/preflight.py", "cli/find_job.py"},
    ),
    # Those of a job that is found on the disk, and of a plan that is thrown away.
    "names a state folder": (
        calls_of("JobPaths"),
        {"job/folder.py", "job/finder.py", "pipeline/run/prepare.py"},
    ),
    "detects formats": (
        detects_formats,
        {
            "pipeline/rows/input_parts.py",
            "pipeline/rows/output_file.py",
            "job/examples.py",
            "quality/table_file.py",
            "quality/label_sheet.py",
            "cli/changed_rows.py",
        },
    ),
}


@pytest.mark.parametrize("what", OWNERS)
def test_only_its_owner(what: str) -> None:
    finder, owners = OWNERS[what]
    found = {
        f"{path.relative_to(PACKAGE).as_posix()}:{getattr(node, 'lineno', 0)}"
        for path in SOURCES
        for node in finder(parsed(path))
    }
    assert sorted(place for place in found if not place.startswith(tuple(owners))) == []


@pytest.mark.parametrize(
    ("finder", "source"),
    [
        (reads_time, "import time\ntime.time()"),
        (reads_time, "from time import monotonic"),
        (reads_time, "from datetime import datetime\ndatetime.now()"),
        (renames, "draft.replace(final)"),
        (renames, "Path('a').rename('b')"),
        (renames, "os.replace('a', 'b')"),
        (renames, "from os import replace"),
        (opens_to_write, "path.open('wb')"),
        (opens_to_write, "path.open('r+b')"),
        (opens_to_write, "io.open(path, 'x')"),
        (opens_to_write, "path.write_text('x')"),
        (opens_to_write, "os.open(path, os.O_CREAT)"),
        (writes_stderr, "sys.stderr.write('x')"),
        (writes_stderr, "print('x', file=sys.stderr)"),
        (writes_stderr, "click.echo('x', err=True)"),
        (writes_stderr, "from sys import stderr"),
        (prints, "print('x')"),
        (hashes, "import hashlib"),
        (ends_process, "sys.exit(1)"),
        (says_sql, "db.execute('SELECT 1')"),
        (calls_of("Prompt"), "template.Prompt('a', None)"),
        (calls_of("to_constraint"), "spec.answer.to_constraint()"),
        (detects_formats, "formats.detect('a.csv', None)"),
    ],
)
def test_a_trespass_is_found(finder: Finder, source: str) -> None:
    assert list(finder(ast.parse(source)))


@pytest.mark.parametrize(
    ("finder", "source"),
    [
        (reads_time, "time.sleep(1)"),
        (renames, "'a-b'.replace('-', '_')"),
        (renames, "moment.replace(tzinfo=None)"),
        (opens_to_write, "path.open('rb')"),
        (opens_to_write, "Journal.open(path)"),
        (writes_stderr, "sys.stderr.isatty()"),
        (says_sql, "'select a file'"),
        (calls_of("Prompt"), "def f(prompt: Prompt) -> None: prompt.check()"),
    ],
)
def test_a_harmless_lookalike_is_let_through(finder: Finder, source: str) -> None:
    assert list(finder(ast.parse(source))) == []

"""Signs of rows that were carried over from the input before are those of a look at all rows."""

import hashlib
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import duckdb
import orjson
import pytest

from llmbatch.core import clock
from llmbatch.core.outcomes import Verdict
from llmbatch.core.records import Record
from llmbatch.quality.signs import finding
from llmbatch.store import carrying, plans, runs, snapshots
from llmbatch.store.database import Database
from llmbatch.store.flags import Flag
from llmbatch.store.opening import open_store
from llmbatch.store.rendered_rows import RenderedRow
from llmbatch.store.runs import Attempt
from llmbatch.store.snapshots import Row, Source
from tests.quality.signs import stored
from tests.quality.signs.test_finding import BOILERPLATE, ENGLISH, GERMAN, rows

LONG = " ".join(ENGLISH)
ODD = ("Yes", "", LONG, "I cannot answer that.", BOILERPLATE, "As an AI, no. [INST]", ENGLISH[0])


def night(db: Database, given: Sequence[tuple[str, str]]) -> None:
    """Read and answer rows; the request of a text is always the same one."""
    items = [
        Row(place, str(place), Record(place, orjson.dumps({"t": text}).decode()))
        for place, (text, _) in enumerate(given, 1)
    ]
    source = Source("in.jsonl", "jsonl", str(clock.seconds()), None, ["t"])
    snapshot = snapshots.replace(db, items, lambda: source, carry=carrying.stage)
    keys = [hashlib.md5(text.encode()).hexdigest() for text, _ in given]
    rendered = [
        RenderedRow(place, key, None, None, f"ask {key}") for place, key in enumerate(keys, 1)
    ]
    plan = plans.replace(db, snapshot.snapshot, str(clock.seconds()), [rendered], None).plan
    run = runs.begin(db, plan, clock.moment(), dict(stored.USUAL))
    answered = {key.replace("-", "") for (key,) in db.execute("SELECT key::VARCHAR FROM attempts")}
    new = {key: answer for key, (_, answer) in zip(keys, given, strict=True)}
    attempts = [
        Attempt(key, 1, Verdict.ANSWERED, None, None, "stop", answer, 10, 4, 2)
        for key, answer in new.items()
        if key not in answered
    ]
    if attempts:
        runs.checkpoint(db, run, 1, attempts, {})


def marked(db: Database) -> list[Flag]:
    found = db.execute(
        "SELECT row, origin, name, detail FROM flags JOIN current_plan USING (plan) ORDER BY ALL"
    )
    return [Flag(*each) for each in found]


def looked_at(db: Database) -> int:
    """The rows of which all signs were looked for."""
    try:
        return int(db.scalar("SELECT count(DISTINCT row) FROM rows_to_look_at"))
    except duckdb.CatalogException:  # none was carried over yet
        return sys.maxsize


@pytest.mark.parametrize("seed", range(3))
def test_as_found_among_all(tmp_path: Path, seed: int) -> None:
    chance, again = random.Random(seed), 0
    given = rows()
    spec = stored.spec()
    with open_store(tmp_path / "job.duckdb") as db:
        db.remember()
        for number in range(6):
            night(db, given)
            finding.mark(db, spec)
            assert marked(db) == sorted(finding.found(db, spec))
            again += looked_at(db) < len(given)
            chance.shuffle(given)
            given = given[: len(given) - chance.randint(0, 2)] if number % 2 else given
            given += [(f"new{number} {seed} {at}", chance.choice(ODD)) for at in range(2)]
    assert again >= 3


def test_a_pass_that_its_process_did_not_live_to_tell_of_is_not_taken_for_another(
    tmp_path: Path,
) -> None:
    """That of the second night found no language that most answers have. Its process died before it
    kept so, and what is kept is of the first night, which found the language of the third."""
    one, spec = [*rows()[:-3]], stored.spec()
    german = [(f"wort{number}", f"{GERMAN} Das war Nummer {number}.") for number in range(40)]
    with open_store(tmp_path / "job.duckdb") as db:
        db.remember()
        for given in (one, [*one, *german], [*one, ("new", ENGLISH[0])]):
            kept = db.kept(finding._USUAL)
            night(db, given)
            finding.mark(db, spec)
            if len(given) > 70:
                db.keep(finding._USUAL, kept)
            names = {flag.name for flag in marked(db)}
            assert ("language" in names) == (len(given) < 70)
        assert marked(db) == sorted(finding.found(db, spec))

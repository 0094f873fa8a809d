"""Languages are told by a process of its own, as the library itself would tell them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from py3langid import langid

from llmbatch.core.errors import HelperError
from llmbatch.quality import languages
from llmbatch.quality.languages import Languages

TEXTS = [
    "The lamp in the hall is broken and nobody answers my letters",
    "Die Lampe im Flur ist kaputt, und niemand antwortet auf meine Briefe",
    "La lampe du couloir est cassée et personne ne répond à mes lettres",
    "廊下のランプが壊れていて、誰も手紙に返事をくれません",
    "half a character: \ud83d",
    "",
]
# What a process may grow by while languages are told: the model alone takes 70 MiB.
MOST_MIB = 25
# Run in a process that has done nothing else; prints the names of signs, and the growth in MiB.
GROWTH = """
import sys
from pathlib import Path
from tests.bench.measure import high_water_bytes
from tests.quality.signs import stored, test_finding
from llmbatch.quality.signs import finding
import os
with stored.job(Path(sys.argv[1]), test_finding.rows()) as db:
    db.execute("SELECT count(*) FROM rows")
    before = high_water_bytes(os.getpid())
    names = {flag.name for flag in finding.found(db, stored.spec())}
    finding.mark(db, stored.spec())
    print("language" in names, (high_water_bytes(os.getpid()) - before) >> 20)
"""


def test_verdicts_are_those_of_the_library() -> None:
    model = langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)
    with Languages() as asked:
        for text in TEXTS:
            assert [tuple(pair) for pair in asked.ranked(text)] == model.rank(text)
            assert tuple(asked.ranked(text)[0]) == model.classify(text)
    plain = langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE)
    counted = languages.counted([*TEXTS, TEXTS[1]])
    assert counted["de"] == 2
    assert {plain.classify(text)[0] for text in TEXTS} == set(counted)


def test_a_process_that_was_killed_is_told_and_replaced() -> None:
    with Languages() as asked:
        asked.ranked(TEXTS[0])
        process = asked._helper._process
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(HelperError, match="run the same command again"):
            asked.ranked(TEXTS[0])
        assert asked.ranked(TEXTS[0])[0][0] == "en"


def test_the_process_ends_with_its_context() -> None:
    with Languages() as asked:
        asked.ranked(TEXTS[0])
        process = asked._helper._process
    assert process is not None
    assert process.poll() is not None


def test_a_run_does_not_grow_by_the_model(tmp_path: Path) -> None:
    command = [sys.executable, "-c", GROWTH, str(tmp_path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    has_language, grown = done.stdout.split()
    assert has_language == "True"
    assert int(grown) <= MOST_MIB

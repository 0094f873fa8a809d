"""`make verify-trust`: which rule or sign catches which wrong answer, and the false alarms.

    python -m tests.quality.adversarial [--write] [--model FOLDER]

`--write` notes what is caught as it ought to be in `caught.json`, which the suite holds; `--model`
also looks at the answers of the bundled model to 2,050 held-out tickets, which it keeps in FOLDER.
"""

import argparse
import json
import tempfile
from pathlib import Path

from tests.quality.adversarial import table, trust
from tests.quality.adversarial.background import TASKS
from tests.quality.adversarial.runs import CAUGHT, Outcome, control, outcomes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--model", type=Path)
    args = parser.parse_args()
    found: list[Outcome] = []
    right: list[frozenset[str]] = []
    with tempfile.TemporaryDirectory(prefix="llmbatch-adversarial-") as folder:
        for task in TASKS:
            controls, of_right = control(task, Path(folder))
            found += outcomes(task, Path(folder), controls)
            right += of_right
    print("\n".join(table.lines(found, right)), flush=True)
    if args.write:
        expected = {one.case.name: sorted(one.caught & set(one.case.should)) for one in found}
        noted = {name: names for name, names in expected.items() if names}
        CAUGHT.write_text(json.dumps(noted, indent=1, ensure_ascii=False) + "\n")
    if args.model:
        print("\nThe bundled model on held-out tickets:")
        print("\n".join(table.of_model(trust.look(args.model))))


if __name__ == "__main__":
    main()

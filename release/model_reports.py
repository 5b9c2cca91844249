"""Write the reports of the shipped models into reports: 200 takes each beside real music, by seed, not by taste.

    python -m release.model_reports                                     all of them: a quarter of an hour each
    python -m release.model_reports --model piano --against corpus:giantmidi/test

What `arietta judge --model NAME --pieces 200 --report reports/NAME.html` does.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from arietta.cli import main as arietta
from arietta.model.bundle import DEFAULT_MODEL, SHIPPED
from benchmarks.shared.report import ROOT

FOLDER = ROOT / "reports"
LARGEST = 300_000  # bytes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="only this one")
    parser.add_argument("--pieces", type=int, default=200, help="takes of each (%(default)s)")
    parser.add_argument("--against", help="a set of real music, as CORPUS:SPLIT")
    parser.add_argument("--out", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for folder in (SHIPPED / DEFAULT_MODEL, *sorted((ROOT / "models").iterdir())):
        if arguments.model in (None, folder.name):
            path = arguments.out / f"{folder.name}.html"
            words = ["judge", "--model", str(folder), "--pieces", str(arguments.pieces), "--report", str(path)]
            if arietta([*words, *(["--against", arguments.against] if arguments.against else [])]):
                return 1
            if path.stat().st_size > LARGEST:
                raise SystemExit(f"{path}: {path.stat().st_size} bytes, and {LARGEST} are the most")
    return 0


if __name__ == "__main__":
    sys.exit(main())

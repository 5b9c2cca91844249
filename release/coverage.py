"""What share of lines and branches the tests run, and whether it is enough: `make coverage` calls this at its end.

python -m release.coverage coverage.json    what `coverage json` wrote
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

LEAST = {"lines": 98.0, "branches": 94.0}  # percent


def main(path: str) -> int:
    """Print the shares of lines and branches in a report of coverage; return 1 where one is too small."""
    totals = json.loads(Path(path).read_text(encoding="utf-8"))["totals"]
    reached = {
        "lines": 100 * totals["covered_lines"] / max(totals["num_statements"], 1),
        "branches": 100 * totals["covered_branches"] / max(totals["num_branches"], 1),
    }
    for name, share in reached.items():
        print(f"{name}: {share:.1f} %, and {LEAST[name]:.0f} % are asked for")
    return int(any(share < LEAST[name] for name, share in reached.items()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

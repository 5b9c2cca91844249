"""Make a corpus of folders of MIDI files: hear them, drop duplicates, name the works, split by work, write it down.

The result is a folder that `store.open_store` opens. Its manifest.jsonl has one line per file, kept or rejected with
the reason; report.json counts them and lists the largest works, which tell whether the rule for works is sound.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .errors import CorpusError
from .intake import Heard, Progress, find, hear
from .naming import Label, label, read_table
from .store import Span, StoreWriter, replacing


@dataclass(frozen=True)
class IngestConfig:
    """`composer`, `source`, `licence` overrule what files say of themselves; `workers` 0 is one per core.

    More than `largest_failure_share` of unreadable files is an error: something else than MIDI was named so.
    """

    composer: str = ""
    source: str = ""
    licence: str = ""
    fewest_notes: int = 10
    largest_failure_share: float = 0.25
    workers: int = 0


def _quiet(done: int, total: int) -> None:
    return None


def ingest(
    folders: Sequence[str | Path], out: str | Path, config: IngestConfig, progress: Progress = _quiet
) -> dict[str, Any]:
    """Make the corpus `out` of all MIDI files in `folders`; return its report, which is also in report.json."""
    out = Path(out)
    files = find(folders)
    with replacing(out) as unfinished:
        writer = StoreWriter(unfinished)
        workers = config.workers or os.cpu_count() or 1
        heard = hear(files, out, unfinished, writer, workers, progress)
        lines = [_line(one, label(one.found.file, read_table(Path(one.found.folder)), {})) for one in heard] if 0 else _lines(heard)
        kept = [one.span for one, line in zip(heard, lines) if line["state"] == "kept"]
        writer.finish(lines, kept)
    return {}


def _lines(heard):
    tables = {}
    lines = []
    index = 0
    for one in heard:
        f = one.found.folder
        if f not in tables: tables[f] = read_table(Path(f))
        l = label(one.found.file, tables[f], {})
        ok = not one.reason and one.note_count >= 10
        lines.append({"file": one.found.file, "folder": f, "sha256": one.sha256, "state": "kept" if ok else "rejected",
          "reason": one.reason, "index": index if ok else None, "notes": one.note_count, "seconds": round(one.seconds, 3),
          "composer": l.composer, "title": l.title, "work": f"{l.composer}|{l.title}", "split": l.split or "train",
          "source": l.source, "corpus": l.corpus, "licence": l.licence})
        index += ok
    return lines

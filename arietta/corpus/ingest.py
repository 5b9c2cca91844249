"""Make a corpus of folders of MIDI files: hear them, drop duplicates, name the works, split by work, write it down.

The result is a folder that `store.open_store` opens. Its manifest.jsonl has one line per file, kept or rejected with
the reason; report.json counts them and lists the largest works, which tell whether the rule for works is sound.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import CorpusError
from .columns import ColumnReader
from .duplicates import find_repeats, measure_shares
from .labels import Label, label_file, read_maestro_table
from .reader import PASSAGES, Progress, ReadFile, find_files, open_columns, read_files, read_landmarks, read_span
from .store import StoreWriter, replace_corpus
from .works import Assignment, assign_splits

REPORT = "report.json"
LARGEST_WORKS = 20


@dataclass(frozen=True)
class IngestConfig:
    """`composer`, `source` and `licence` overrule what files say of themselves; `workers` 0 is one per core.

    More than `largest_failure_share` of unreadable files is an error: something else than MIDI was named so.
    """

    composer: str = ""
    source: str = ""
    licence: str = ""
    fewest_notes: int = 10
    largest_failure_share: float = 0.25
    workers: int = 0


_NOWHERE = Assignment()


@dataclass(frozen=True)
class _File:
    heard: ReadFile
    label: Label
    reason: str = ""
    place: Assignment = _NOWHERE


def ingest(
    folders: Sequence[str | Path], out: str | Path, config: IngestConfig, progress: Progress = lambda done, total: None
) -> dict[str, Any]:
    """Make the corpus `out` of all MIDI files in `folders`; return its report, which also stands in report.json.

    Raises CorpusError when a folder cannot be read or holds no MIDI file, when too many files are broken, or when
    `out` cannot be written. A corpus that stood in `out` is replaced at the very end, so it survives all of that.
    """
    out = Path(out)
    found = find_files(folders)
    labels = _label_all(folders, config)
    with replace_corpus(out) as unfinished, StoreWriter(unfinished) as writer:
        heard = read_files(found, out, unfinished, writer, config.workers or os.cpu_count() or 1, progress)
        writer.close()
        files = _without_failures([_File(one, labels(one)) for one in heard], config)
        with open_columns(unfinished) as columns:
            files = _place(_without_copies(files), columns)
        lines = _lines(files)
        report = _report(lines)
        writer.finish(lines, [file.heard.span for file in files if not file.reason])
        (unfinished / REPORT).write_text(json.dumps(report, indent=1, ensure_ascii=False), encoding="utf-8")
    return report


def _label_all(folders: Sequence[str | Path], config: IngestConfig) -> Callable[[ReadFile], Label]:
    tables = {str(folder): read_maestro_table(Path(folder)) for folder in folders}
    given = {"composer": config.composer, "source": config.source, "licence": config.licence}
    return lambda heard: label_file(heard.source.file, tables[heard.source.folder], given)


# Deciding what to keep


def _without_failures(files: Sequence[_File], config: IngestConfig) -> list[_File]:
    """Reject what could not be read or is too short; raises CorpusError when that is most of it."""
    broken = [file.heard for file in files if file.heard.reason]
    if len(broken) > config.largest_failure_share * len(files):
        kinds = [_kind(_first_fault(heard, config)) for heard in broken]
        commonest, count = Counter(kinds).most_common(1)[0]
        example = broken[kinds.index(commonest)]
        raise CorpusError(
            f"{example.source.folder}: {len(broken)} of {len(files)} files cannot be read, most often ({count}): "
            f"{example.source.file}: {example.reason}; take the broken files out, or name a folder of music"
        )
    checked = [replace(file, reason=_first_fault(file.heard, config)) for file in files]
    if all(file.reason for file in checked):
        raise CorpusError(f"{files[0].heard.source.folder}: nothing to keep: {checked[0].reason}; see --fewest-notes")
    return checked


def _first_fault(heard: ReadFile, config: IngestConfig) -> str:
    if heard.reason:
        return f"unreadable: {heard.reason}"
    is_short = heard.note_count < config.fewest_notes
    return f"too short: {heard.note_count} notes, fewer than {config.fewest_notes}" if is_short else ""


def _without_copies(files: Sequence[_File]) -> list[_File]:
    """Reject files with the bytes of another; of equal files the first, or one with a prescribed side, is kept."""
    files = list(files)
    first: dict[str, _File] = {}
    for index in _kept(files):
        file = first.setdefault(files[index].heard.sha256, files[index])
        if file is not files[index]:
            files[index] = replace(files[index], reason=f"same bytes: as {_name(file)}")
    return files


def _place(files: Sequence[_File], columns: Mapping[str, ColumnReader]) -> list[_File]:
    """Reject files with the performance of another, give the others their works and sides, and reject those that
    touch what is held out."""
    files, kept = list(files), _kept(files)
    heard = [files[index].heard for index in kept]
    shares = measure_shares(columns[PASSAGES], [one.passages for one in heard])
    repeats = find_repeats(
        shares,
        lambda at: read_span(columns, heard[at].span),
        lambda at: read_landmarks(columns, heard[at].passages),
        [one.note_count for one in heard],
    )
    for later, earlier in repeats.items():
        reason = f"same performance: as {_name(files[kept[earlier]])}"
        files[kept[later]] = replace(files[kept[later]], reason=reason)
    single = [at for at in range(len(kept)) if at not in repeats]
    places = assign_splits(
        [files[kept[at]].label for at in single], [heard[at].note_count for at in single], shares.of(single)
    )
    for at, where in zip(single, places, strict=True):
        files[kept[at]] = replace(files[kept[at]], place=where, reason=where.reason)
    return files


def _kept(files: Sequence[_File]) -> list[int]:
    """List the files not rejected, those with a prescribed side before the others."""
    kept = [index for index, file in enumerate(files) if not file.reason]
    return sorted(kept, key=lambda index: not files[index].label.split)


def _name(file: _File) -> str:
    return f"{file.heard.source.folder}/{file.heard.source.file}"


# Writing it down


def _lines(files: Sequence[_File]) -> list[dict[str, Any]]:
    lines, index = [], 0
    for file in files:
        found, label_, is_kept = file.heard.source, file.label, not file.reason
        lines.append(
            {
                "file": found.file,
                "folder": found.folder,
                "sha256": file.heard.sha256,
                "state": "kept" if is_kept else "rejected",
                "reason": file.reason,
                "index": index if is_kept else None,
                "notes": file.heard.note_count,
                "seconds": round(file.heard.seconds, 3),
                "composer": label_.composer,
                "title": label_.title,
                "work": file.place.work,
                "split": file.place.split,
                "source": label_.source,
                "corpus": label_.corpus,
                "licence": label_.licence,
            }
        )
        index += is_kept
    return lines


def _report(lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Count the files, and list the works with most files: one with over 1 % of them deserves a look."""
    kept = [line for line in lines if line["state"] == "kept"]
    works: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for line in kept:
        works[line["work"]].append(line)
    sides: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for line in kept:
        sides[line["corpus"], line["split"]].append(line)
    largest = sorted(works.values(), key=len, reverse=True)[:LARGEST_WORKS]
    return {
        "files": len(lines),
        "kept": len(kept),
        "rejected": dict(Counter(_kind(line["reason"]) for line in lines if line["reason"]).most_common()),
        "splits": {f"{corpus} {split}": _sums(group) for (corpus, split), group in sorted(sides.items())},
        "works": len(works),
        "works in several corpora": sum(len({line["corpus"] for line in group}) > 1 for group in works.values()),
        "largest works": [_describe(group, len(kept)) for group in largest],
    }


def _sums(lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    hours = sum(line["seconds"] for line in lines) / 3600
    return {"files": len(lines), "notes": sum(line["notes"] for line in lines), "hours": round(hours, 2)}


def _describe(group: Sequence[Mapping[str, Any]], file_count: int) -> dict[str, Any]:
    titles = Counter(f"{line['composer']}: {line['title']}" for line in group)
    return {
        "work": group[0]["work"],
        "split": group[0]["split"],
        "files": len(group),
        "share": round(len(group) / file_count, 4),
        "titles": [title for title, _ in titles.most_common(6)],
    }


def _kind(reason: str) -> str:
    """Reduce a reason to its kind, so that it can be counted: the part before the colon; of unreadable files, all
    of it but the numbers."""
    kind, _, rest = reason.partition(": ")
    return re.sub(r"\d+", "#", reason) if kind == "unreadable" or not rest else kind

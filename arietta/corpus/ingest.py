"""Make a corpus of folders of MIDI files: read them, drop duplicates, find the works, split by work, write the corpus.

The result is a folder that `store.open_store` opens. Its manifest.jsonl has one line per file, kept or rejected with
the reason; report.json counts them and lists the largest works, which show whether the rule for works is sound.
"""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import CorpusError, require
from .columns import ColumnReader
from .duplicates import find_repeats, measure_shares
from .labels import Label, label_file, read_maestro_table
from .reader import (
    PASSAGES,
    Progress,
    ReadFile,
    SourceFile,
    find_files,
    open_columns,
    read_files,
    read_landmarks,
    read_span,
)
from .store import StoreWriter, reason_kind, replace_corpus
from .works import Assignment, assign_splits

REPORT = "report.json"
LARGEST_WORKS = 20
MOST_WORKERS = 256


@dataclass(frozen=True)
class IngestConfig:
    """`composer`, `source` and `licence` override what file names and tables say; `workers` 0 is one per core.

    More than `largest_failure_share` of unreadable files is an error: the folder then holds something else than MIDI.
    `names` are what the manifest calls the folders, in their order, wherever they lie; without, as they are given.
    """

    composer: str = ""
    source: str = ""
    licence: str = ""
    fewest_notes: int = 10
    largest_failure_share: float = 0.25
    workers: int = 0
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, least, most in (("fewest_notes", 1, 1_000_000), ("workers", 0, MOST_WORKERS)):
            number = getattr(self, name)
            require(number, int, f"{name} is a whole number", CorpusError)
            if not least <= number <= most:
                raise CorpusError(f"--{name.replace('_', '-')} must lie in {least}-{most}, not {number}")


Labelling = Callable[[SourceFile, str], Label]  # of a file, by its SHA-256 too
_UNASSIGNED = Assignment()


@dataclass(frozen=True)
class _Candidate:
    """A file on its way into the corpus; a `reason` rejects it."""

    file: ReadFile
    label: Label
    reason: str = ""
    assignment: Assignment = _UNASSIGNED

    @property
    def path(self) -> str:
        """What reasons call the file by: its folder as named on the command line, and its path below it."""
        return f"{self.file.source.folder}/{self.file.source.file}"


def ingest(
    folders: Sequence[str | Path], out: str | Path, config: IngestConfig, progress: Progress = lambda done, total: None
) -> dict[str, Any]:
    """Make the corpus `out` of all MIDI files in `folders`; return its report, which is also written to report.json.

    Raises CorpusError when a folder cannot be read or holds no MIDI file, when too many files are broken, or when
    `out` cannot be written. A corpus already in `out` is replaced at the very end, so it survives all of that.
    """
    out = Path(out)
    sources, label = find_labelled(folders, config)
    with replace_corpus(out) as unfinished, StoreWriter(unfinished) as writer:
        files = read_files(sources, out, unfinished, writer, config.workers or os.cpu_count() or 1, progress)
        labels = [label(file.source, file.sha256) for file in files]
        return decide_corpus(files, labels, config, unfinished, writer)


def find_labelled(folders: Sequence[str | Path], config: IngestConfig) -> tuple[list[SourceFile], Labelling]:
    """List the MIDI files in `folders`, and return what labels one of them, by its SHA-256 too.

    Raises CorpusError where a folder cannot be read or has none, or where there are not as many names as folders.
    """
    names = folder_names(folders, config)
    tables = {name: read_maestro_table(Path(folder)) for name, folder in zip(names, folders, strict=True)}
    return find_files(folders, names), labelling(tables, config)


def folder_names(folders: Sequence[str | Path], config: IngestConfig) -> tuple[str, ...]:
    """Return what the manifest calls the folders; raises CorpusError unless each has a name of its own."""
    names = config.names or tuple(str(folder) for folder in folders)
    if len(names) != len(folders) or len(set(names)) != len(names):
        raise CorpusError(
            f"{len(folders)} folders and {len(set(names))} different names; give each folder its own name"
        )
    return names


def labelling(tables: Mapping[str, Mapping[str, Label]], config: IngestConfig) -> Labelling:
    """Return what labels a file, given the tables in each folder, by its name, and what the user says of all files."""
    overrides = {"composer": config.composer, "source": config.source, "licence": config.licence}
    return lambda source, sha256: label_file(source.file, sha256, tables[source.folder], overrides)


def decide_corpus(
    files: Sequence[ReadFile], labels: Sequence[Label], config: IngestConfig, folder: Path, writer: StoreWriter
) -> dict[str, Any]:
    """Decide which of the files whose columns `writer` wrote into `folder` are kept; write manifest and report."""
    writer.close()  # what follows reads the columns back
    candidates = [_Candidate(file, label) for file, label in zip(files, labels, strict=True)]
    candidates = _without_failures(candidates, config)
    with open_columns(folder) as columns:
        candidates = _with_works(_without_copies(candidates), columns)
    lines = _manifest_lines(candidates)
    report = _report(lines)
    writer.finish(lines, [candidate.file.span for candidate in candidates if not candidate.reason])
    (folder / REPORT).write_text(json.dumps(report, indent=1), encoding="ascii")
    return report


# Deciding what to keep


def _without_failures(candidates: Sequence[_Candidate], config: IngestConfig) -> list[_Candidate]:
    """Reject files that cannot be read or are too short; raises CorpusError when that is most of them."""
    broken = [candidate.file for candidate in candidates if candidate.file.reason]
    if len(broken) > config.largest_failure_share * len(candidates):
        kinds = [reason_kind(_first_fault(file, config)) for file in broken]
        commonest, count = Counter(kinds).most_common(1)[0]
        example = broken[kinds.index(commonest)]
        raise CorpusError(
            f"{example.source.folder}: {len(broken)} of {len(candidates)} files cannot be read, most often ({count}): "
            f"{example.source.file}: {example.reason}; take the broken files out, name a folder of music, "
            "or go on without them (--partial)"
        )
    checked = [replace(candidate, reason=_first_fault(candidate.file, config)) for candidate in candidates]
    if all(candidate.reason for candidate in checked):
        first = checked[0]
        raise CorpusError(f"{first.file.source.folder}: nothing to keep: {first.reason}; see --fewest-notes")
    return checked


def _first_fault(file: ReadFile, config: IngestConfig) -> str:
    if file.reason:
        return f"unreadable: {file.reason}"
    is_short = file.note_count < config.fewest_notes
    return f"too short: {file.note_count} notes, fewer than {config.fewest_notes}" if is_short else ""


def _without_copies(candidates: Sequence[_Candidate]) -> list[_Candidate]:
    """Reject files with the bytes of another; of equal files the first, or one with a prescribed split, is kept."""
    candidates = list(candidates)
    originals: dict[str, _Candidate] = {}
    for index in _remaining(candidates):
        original = originals.setdefault(candidates[index].file.sha256, candidates[index])
        if original is not candidates[index]:
            candidates[index] = replace(candidates[index], reason=f"same bytes: as {original.path}")
    return candidates


def _with_works(candidates: Sequence[_Candidate], columns: Mapping[str, ColumnReader]) -> list[_Candidate]:
    """Reject files with the performance of another or with held-out music, and assign works and splits to the rest."""
    candidates, remaining = list(candidates), _remaining(candidates)
    files = [candidates[index].file for index in remaining]
    shares = measure_shares(columns[PASSAGES], [file.passages for file in files])
    repeats = find_repeats(
        shares,
        lambda position: read_span(columns, files[position].span),
        lambda position: read_landmarks(columns, files[position].passages),
        [file.note_count for file in files],
    )
    for later, earlier in repeats.items():
        reason = f"same performance: as {candidates[remaining[earlier]].path}"
        candidates[remaining[later]] = replace(candidates[remaining[later]], reason=reason)
    # The passages of all files are compared once; works are formed among the performances that are left.
    single = [position for position in range(len(remaining)) if position not in repeats]
    assignments = assign_splits(
        [candidates[remaining[position]].label for position in single],
        [files[position].note_count for position in single],
        shares.among(single),
    )
    for position, assignment in zip(single, assignments, strict=True):
        index = remaining[position]
        candidates[index] = replace(candidates[index], assignment=assignment, reason=assignment.reason)
    return candidates


def _remaining(candidates: Sequence[_Candidate]) -> list[int]:
    """List the candidates not rejected, those with a prescribed split first: of two equal files the first is kept."""
    remaining = [index for index, candidate in enumerate(candidates) if not candidate.reason]
    return sorted(remaining, key=lambda index: not candidates[index].label.split)


# Manifest and report


def _manifest_lines(candidates: Sequence[_Candidate]) -> list[dict[str, Any]]:
    lines, index = [], 0
    for candidate in candidates:
        file, label, is_rejected = candidate.file, candidate.label, bool(candidate.reason)
        lines.append(
            {
                "file": file.source.file,
                "folder": file.source.folder,
                "sha256": file.sha256,
                "state": "rejected" if is_rejected else "kept",
                "reason": candidate.reason,
                "index": None if is_rejected else index,
                "notes": file.note_count,
                "seconds": round(file.seconds, 3),
                "composer": label.composer,
                "title": label.title,
                "work": candidate.assignment.work,
                "split": candidate.assignment.split,
                "source": label.source,
                "corpus": label.corpus,
                "licence": label.licence,
            }
        )
        index += not is_rejected
    return lines


def _report(lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Count the files, and list the works with most files: a work with over 1 % of them deserves a look."""
    accepted = [line for line in lines if line["state"] == "kept"]
    rejected = [line for line in lines if line["state"] == "rejected"]
    works: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for line in accepted:
        works[line["work"]].append(line)
    sides: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for line in accepted:
        sides[line["corpus"], line["split"]].append(line)
    largest = sorted(works.values(), key=len, reverse=True)[:LARGEST_WORKS]
    return {
        "files": len(lines),
        "kept": len(accepted),
        "rejected": dict(Counter(reason_kind(line["reason"]) for line in rejected).most_common()),
        # The first of each kind, so that a count can be looked into.
        "examples": {reason_kind(line["reason"]): [line["file"], line["reason"]] for line in reversed(rejected)},
        "splits": {
            f"{corpus} {split}": {
                "files": len(group),
                "notes": sum(line["notes"] for line in group),
                "hours": round(sum(line["seconds"] for line in group) / 3600, 2),
            }
            for (corpus, split), group in sorted(sides.items())
        },
        "works": len(works),
        "works in several corpora": sum(len({line["corpus"] for line in group}) > 1 for group in works.values()),
        "largest works": [_describe(group, len(accepted)) for group in largest],
    }


def _describe(group: Sequence[Mapping[str, Any]], file_count: int) -> dict[str, Any]:
    titles = Counter(f"{line['composer']}: {line['title']}" for line in group)
    return {
        "work": group[0]["work"],
        "split": group[0]["split"],
        "files": len(group),
        "share": round(len(group) / file_count, 4),
        "titles": [title for title, _ in titles.most_common(6)],
    }

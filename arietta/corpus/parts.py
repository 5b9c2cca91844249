"""Parts of a corpus: shares of its files that are read apart, on any machines, and then merged.

    read_part(["maestro-v3.0.0"], "part-3", IngestConfig(), Shard(3, 16))     on the third of sixteen machines
    merge_parts([f"part-{number}" for number in range(1, 17)], "corpus")      on one

Part k of n reads every n-th file, from the k-th on. Duplicates, works and splits are decided once, at the end, by the
code that decides them on one machine, so the merged corpus has the same bytes. A part is a folder with the columns of
a corpus and `part.jsonl`: a header, in which all parts agree but for their number, and a line for each file.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import CorpusError
from ..untrusted import parse_object
from .columns import ColumnWriter
from .ingest import IngestConfig, Labelling, decide_corpus, find_labelled
from .labels import Label
from .reader import (
    MOMENTS,
    PASSAGES,
    Progress,
    ReadFile,
    SourceFile,
    open_columns,
    read_files,
    read_landmarks,
    read_span,
)
from .store import READER_VERSION, Span, StoreWriter, notes_checksum, replace_corpus

LISTING = "part.jsonl"


@dataclass(frozen=True)
class Shard:
    """Part `number` of `count`, from 1 on; raises CorpusError where there is no such part."""

    number: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise CorpusError(f"there is no part {self.number} of {self.count}; the first of four is 1/4, the last 4/4")

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read "3/16"; raises CorpusError where the text says something else."""
        match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
        if match is None:
            raise CorpusError(f"{text!r} names no part; write NUMBER/COUNT, as in 3/16")
        return cls(int(match[1]), int(match[2]))

    def share(self, sources: Sequence[SourceFile]) -> Sequence[SourceFile]:
        """Return the files that this part is of."""
        return sources[self.number - 1 :: self.count]


@dataclass(frozen=True)
class _Part:
    """A part on disk: what all parts of the corpus must agree in, and what was read of each file."""

    path: Path
    shard: Shard
    agreed: Mapping[str, Any]
    lines: Sequence[Mapping[str, Any]]


def read_part(
    folders: Sequence[str | Path],
    out: str | Path,
    config: IngestConfig,
    shard: Shard,
    progress: Progress = lambda done, total: None,
) -> int:
    """Read a share of the files in `folders` into the part `out`; return how many they are.

    A part that is in `out` is replaced at the end, and unchanged files are copied from it. Raises CorpusError as
    `ingest` does.
    """
    out = Path(out)
    sources, label = find_labelled(folders, config)
    workers = config.workers or os.cpu_count() or 1

    def read(folder: Path) -> list[ReadFile]:
        with StoreWriter(folder) as writer:
            return read_files(shard.share(sources), out, folder, writer, workers, progress)

    return write_part(out, shard, agree(sources, config), label, read)


def agree(sources: Sequence[SourceFile], config: IngestConfig) -> dict[str, Any]:
    """Say what all parts of a corpus must have alike: the reader, the options and the files."""
    listed = "\n".join(f"{source.folder}\t{source.file}\t{source.size}" for source in sources)
    return {
        "reader": READER_VERSION,
        "options": {name: option for name, option in asdict(config).items() if name != "workers"},
        "files": len(sources),
        "listing": hashlib.sha256(os.fsencode(listed)).hexdigest(),
    }


def write_part(
    out: Path, shard: Shard, agreed: Mapping[str, Any], label: Labelling, read: Callable[[Path], list[ReadFile]]
) -> int:
    """Make the part `out`, whose columns `read` puts into the folder that it is given; return how many files it has."""
    with replace_corpus(out, LISTING) as unfinished:
        files = read(unfinished)
        header = {"shard": [shard.number, shard.count], "agreed": agreed}
        lines = [asdict(file) | {"label": asdict(label(file.source, file.sha256))} for file in files]
        text = "".join(json.dumps(line) + "\n" for line in [header, *lines])
        (unfinished / LISTING).write_text(text, encoding="ascii")
    return len(files)


def is_part(path: Path, shard: Shard, agreed: Mapping[str, Any]) -> bool:
    """Tell whether a part is there already, whole, and of these files."""
    try:
        part = _open_part(path)
    except CorpusError:
        return False
    return part.shard == shard and part.agreed == json.loads(json.dumps(agreed))


def merge_parts(
    parts: Sequence[str | Path], out: str | Path, progress: Progress = lambda done, total: None
) -> dict[str, Any]:
    """Merge all parts of a corpus into `out`, to the bytes that `ingest` gives on one machine; return its report.

    Raises CorpusError where parts are missing, doubled or damaged, or were not read alike.
    """
    ordered = _check_parts([_open_part(Path(part)) for part in parts])
    agreed = ordered[0].agreed
    config = IngestConfig(**{**agreed["options"], "names": tuple(agreed["options"]["names"])})
    files, labels = [], []
    with replace_corpus(Path(out)) as unfinished, StoreWriter(unfinished) as writer:
        with (
            ExitStack() as stack,
            ColumnWriter(unfinished / f"{PASSAGES}.npy", "<u8") as passages,
            ColumnWriter(unfinished / f"{MOMENTS}.npy", "<f4") as moments,
        ):
            columns = [stack.enter_context(open_columns(part.path)) for part in ordered]
            for position in range(agreed["files"]):
                row, number = divmod(position, len(ordered))
                line = ordered[number].lines[row]
                notes = read_span(columns[number], Span(*line["span"]))
                if notes_checksum(notes) != line["checksum"]:
                    file = line["source"]["file"]
                    raise CorpusError(f"{ordered[number].path}: the notes of {file} were altered; read the part again")
                hashes, times = read_landmarks(columns[number], tuple(line["passages"]))
                moments.append(times)
                read = {name: line[name] for name in ("sha256", "reason", "seconds", "checksum")}
                span, rows = writer.append(notes, line["checksum"]), passages.append(hashes)
                files.append(ReadFile(SourceFile(**line["source"]), span=span, passages=rows, **read))
                labels.append(Label(**line["label"]))
                progress(len(files), agreed["files"])
        return decide_corpus(files, labels, config, unfinished, writer)


def _open_part(path: Path) -> _Part:
    try:
        header, *lines = map(parse_object, (path / LISTING).read_text(encoding="ascii").splitlines())
        shard, agreed = Shard(*header["shard"]), header["agreed"]
        if len(lines) != len(range(shard.number - 1, agreed["files"], shard.count)):
            raise ValueError(f"{len(lines)} lines")
    except OSError as error:
        why = f"{LISTING}: {error.strerror or error}"
        raise CorpusError(f"{path}: no part of a corpus ({why}); `arietta ingest --shard` reads one") from error
    except (ValueError, KeyError, TypeError) as error:
        raise CorpusError(f"{path}: {LISTING} is damaged ({error}); read the part again") from error
    if agreed["reader"] != READER_VERSION:
        raise CorpusError(
            f"{path}: read by version {agreed['reader']} of the reader, not {READER_VERSION}; read the part again"
        )
    return _Part(path, shard, agreed, lines)


def _check_parts(parts: Sequence[_Part]) -> list[_Part]:
    """Return the parts in the order of their numbers; raises CorpusError unless they make up one corpus."""
    first = parts[0]
    by_number: dict[int, _Part] = {}
    for part in parts:
        different = [name for name, fact in first.agreed.items() if part.agreed.get(name) != fact]
        if part.shard.count != first.shard.count:
            different = ["the number of parts"]
        if different:
            raise CorpusError(
                f"{part.path}: no part of the same corpus as {first.path}: they differ in {different[0]}; "
                "read both from the same folders with the same settings"
            )
        if part.shard.number in by_number:
            raise CorpusError(
                f"{part.path}: part {part.shard.number} again, which {by_number[part.shard.number].path} is; "
                "name each part once"
            )
        by_number[part.shard.number] = part
    missing = [number for number in range(1, first.shard.count + 1) if number not in by_number]
    if missing:
        raise CorpusError(
            f"part {missing[0]} of {first.shard.count} is missing ({len(missing)} in all); give every part"
        )
    return [by_number[number] for number in sorted(by_number)]

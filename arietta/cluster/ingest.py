"""Read a corpus's files on the machines of a Ray cluster; what is kept is decided here, once, by the code of `ingest`.

    ingest_on_cluster(["s3://music/maestro-v3.0.0", "midis"], "corpus", IngestConfig(), "auto")

The files are cut into shares. A task reads one share and sends its columns back, and they wait beside the corpus, in
CORPUS.parts, as parts that `merge_parts` merges: the corpus has the bytes that one machine gives. A share that is lost
with its machine is read again on another, and a run that ends early finds the parts that are there.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..corpus.ingest import IngestConfig, Labelling, folder_names, labelling
from ..corpus.labels import read_maestro_table
from ..corpus.parts import Shard, agree, is_part, merge_parts, write_part
from ..corpus.reader import Progress, ReadFile, SourceFile, find_files, read_files
from ..corpus.store import StoreWriter
from ..errors import CorpusError
from .stores import copy_file, fetch_tables, is_store, list_store
from .tasks import cluster_map

FILES_PER_SHARE = 256  # some 25 MB of columns, for a second of work


@dataclass(frozen=True)
class _Share:
    """What a task sends back: the columns by file name, and what was read of each MIDI file."""

    columns: Mapping[str, bytes]
    files: list[ReadFile]

    def unpack(self, folder: Path) -> list[ReadFile]:
        """Write the columns into a folder; return what was read."""
        for name, content in self.columns.items():
            (folder / name).write_bytes(content)
        return self.files


def ingest_on_cluster(
    folders: Sequence[str],
    out: str | Path,
    config: IngestConfig,
    address: str,
    progress: Progress = lambda done, total: None,
) -> dict[str, Any]:
    """Make the corpus `out` of the MIDI files in folders and stores, read by a cluster; return its report.

    All machines see the folders under the same paths. Raises CorpusError as `ingest` does, and where a machine has
    another version of Arietta or does not see a folder; AriettaError where no cluster answers.
    """
    out = Path(out)
    parts = out.with_name(f"{out.name}.parts")
    sources, label = _find_labelled(folders, config)
    agreed, count = agree(sources, config), -(-len(sources) // FILES_PER_SHARE)
    shards = {parts / str(number): Shard(number, count) for number in range(1, count + 1)}
    missing = {folder: shard for folder, shard in shards.items() if not is_part(folder, shard, agreed)}
    done = len(sources) - sum(len(shard.share(sources)) for shard in missing.values())
    progress(done, len(sources))
    parts.mkdir(parents=True, exist_ok=True)
    if missing:
        with cluster_map(address) as map_calls:
            shares = map_calls(_read_share, (shard.share(sources) for shard in missing.values()))
            for (folder, shard), share in zip(missing.items(), shares, strict=True):
                done += write_part(folder, shard, agreed, label, share.unpack)
                progress(done, len(sources))
    report = merge_parts(list(shards), out)
    shutil.rmtree(parts)
    return report


def _find_labelled(folders: Sequence[str], config: IngestConfig) -> tuple[list[SourceFile], Labelling]:
    """List the files in folders and stores and say what labels one, as `find_labelled` does for folders alone."""
    sources, tables = [], {}
    for folder, name in zip(folders, folder_names(folders, config), strict=True):
        if is_store(folder):
            sources += list_store(folder, name)
            with tempfile.TemporaryDirectory() as copies:
                tables[name] = fetch_tables(folder, Path(copies))
        else:
            sources += find_files([folder], [name])
            tables[name] = read_maestro_table(Path(folder))
    return sources, labelling(tables, config)


def _read_share(sources: Sequence[SourceFile]) -> _Share:
    """Read files on a machine of the cluster, those of stores by a copy."""
    with tempfile.TemporaryDirectory() as scratch:
        copies, columns = Path(scratch, "copies"), Path(scratch, "columns")
        copies.mkdir()
        columns.mkdir()
        here = [
            copy_file(source, copies / f"{number}.mid") if is_store(source.path) else _seen(source)
            for number, source in enumerate(sources)
        ]
        with StoreWriter(columns) as writer:
            read = read_files(here, columns, columns, writer, 1, lambda done, total: None)
        files = [replace(file, source=source) for file, source in zip(read, sources, strict=True)]
        content = {path.name: path.read_bytes() for path in columns.glob("*.npy")}
    return _Share(content, files)


def _seen(source: SourceFile) -> SourceFile:
    """Return a file of a folder; raises CorpusError where this machine does not see the folder."""
    if not Path(source.path).parent.is_dir():
        raise CorpusError(
            f"{source.folder}: a machine of the cluster does not see it; put it where all do, or into an object store"
        )
    return source

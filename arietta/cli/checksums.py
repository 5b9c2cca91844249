"""What `arietta inspect --verify` reads: all of a corpus, a model or a run, held against the checksums in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..corpus.store import MANIFEST, open_store
from ..errors import AriettaError, CorpusError, RequestError
from ..model.bundle import CARD, DESCRIPTION, FILES, INDEX, load_bundle
from ..program import install_command

RUN = "run.json"


def verify_checksums(path: Path) -> Iterator[str]:
    """Read everything and tell, in a sentence each, what is as it was written; raises where something is not.

    Of a corpus every piece is read, so that an error counts all that were altered.
    """
    if (path / MANIFEST).is_file():
        yield _verify_corpus(path)
    elif (path / RUN).is_file():
        yield from _verify_run(path)
    else:
        bundle = load_bundle(path)
        bundle.golden()
        yield f"{len(FILES)} files are those that {DESCRIPTION} names; {DESCRIPTION} and {CARD} have no checksum"
        if bundle.index_folder.is_dir():
            from ..originality.index import open_index

            open_index(bundle.index_folder)
            yield f"{INDEX} can be opened; it has no checksum"


def _verify_corpus(path: Path) -> str:
    store, complaints = open_store(path), list[str]()
    for piece in store.pieces:
        try:
            store.notes(piece.index)
        except AriettaError as error:
            complaints.append(str(error))
    if complaints:
        others = f" (and so were {len(complaints) - 1:,} more of {len(store):,} pieces)" if complaints[1:] else ""
        raise CorpusError(complaints[0] + others)
    return f"{len(store):,} pieces are as they were read; {MANIFEST} has the fingerprint {store.fingerprint}"


def _verify_run(path: Path) -> Iterator[str]:
    try:
        from ..train.checkpoint import read_checkpoint
    except ImportError as error:
        raise RequestError(f"{path}: checkpoints are read with torch; {install_command('train')}") from error
    for file in sorted(path.glob("*.pt")):
        yield f"{file.name} is sound, at step {read_checkpoint(file)['step']:,}"

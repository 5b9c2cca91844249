"""Turn folders of MIDI files into a corpus to train on.

examples:
  arietta ingest maestro-v3.0.0 --out corpus
  arietta ingest maestro-v3.0.0 midis grieg --out corpus     all that trains or tests a model, in one corpus
  arietta ingest my-midi --out mine --composer "Clara Schumann" --licence "CC0 1.0"
  arietta ingest maestro-v3.0.0 --shard 3/16 --out part-3    the third of sixteen parts, for as many machines
  arietta ingest --merge part-* --out corpus                 all the parts together: the same bytes as read on one
  arietta ingest s3://music/midis --cluster auto --out corpus     read by the machines of a Ray cluster: the same bytes

Every file gets a line in CORPUS/manifest.jsonl: kept, with composer, title, work and side of the split, or rejected
with the reason. Duplicates are dropped, and no work stands on two sides. Run again, it reads only what changed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..errors import CorpusError
from ..names import escape_name
from .output import read_integer
from .progress import progress_bar


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folders", nargs="*", metavar="DIR", help="folder of MIDI files, searched with all below it")
    parser.add_argument("--out", required=True, metavar="CORPUS", help="folder to write; an older corpus is replaced")
    parser.add_argument("--composer", default="", help="composer of all the files, where their names do not say it")
    parser.add_argument("--licence", default="", help="what all the files may be used for")
    parser.add_argument(
        "--source", default="", choices=("measured", "transcribed", "sequenced"),
        help="how the files came about: played on an instrument, transcribed from audio, or written by hand (default)",
    )  # fmt: skip
    parser.add_argument(
        "--fewest-notes", type=read_integer, default=10, metavar="N", help="reject shorter files (default %(default)s)"
    )
    parser.add_argument("--partial", action="store_true", help="go on without broken files, however many they are")
    parser.add_argument("--workers", type=read_integer, default=0, metavar="N", help="processes (default one per core)")
    parser.add_argument(
        "--name", action="append", default=[], metavar="NAME",
        help="what the manifest calls a folder, wherever it lies; one for each, in their order (default: as given)",
    )  # fmt: skip
    parts = parser.add_mutually_exclusive_group()
    parts.add_argument("--shard", default="", metavar="K/N", help="read every N-th file, from the K-th on, into a part")
    parts.add_argument("--merge", nargs="+", default=[], metavar="PART", help="merge all parts of a corpus")
    parts.add_argument(
        "--cluster", default="", metavar="ADDRESS",
        help="read on a Ray cluster: auto (that of this machine), HOST:PORT, or local, which starts one here; folders "
        "may then be addresses of object stores",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> None:
    from ..corpus.ingest import IngestConfig, ingest
    from ..corpus.parts import Shard, merge_parts, read_part

    if bool(arguments.folders) == bool(arguments.merge):
        raise CorpusError("name folders of MIDI files, or --merge the parts that were read of them")
    options = ("composer", "licence", "source", "fewest_notes", "workers")
    config = IngestConfig(**{name: getattr(arguments, name) for name in options}, names=tuple(arguments.name))
    if arguments.partial:
        config = replace(config, largest_failure_share=1.0)
    with progress_bar("reading", "file") as progress:
        if arguments.shard:
            shard = Shard.parse(arguments.shard)
            count = read_part(arguments.folders, arguments.out, config, shard, progress)
        elif arguments.cluster:
            from ..cluster.ingest import ingest_on_cluster

            report = ingest_on_cluster(arguments.folders, arguments.out, config, arguments.cluster, progress)
        elif arguments.merge:
            report = merge_parts(arguments.merge, arguments.out, progress)
        else:
            report = ingest(arguments.folders, arguments.out, config, progress)
    if arguments.shard:
        print(f"{escape_name(arguments.out)}: part {arguments.shard}, {count} files; --merge joins all parts")
        return
    for line in _summary(report, arguments.out):
        print(escape_name(line))


def _summary(report: Mapping[str, Any], out: str) -> Iterator[str]:
    from ..corpus.labels import SPLITS

    yield f"{out}: {report['kept']} of {report['files']} files kept, {report['works']} works"
    for side, sums in report["splits"].items():
        yield f"  {side}: {sums['files']} files, {sums['notes']:,} notes, {sums['hours']} h"
    sides = {name.rpartition(" ")[2] for name in report["splits"]}
    if report["kept"] and (absent := [side for side in SPLITS if side not in sides]):
        yield (
            f"  nothing for {' and '.join(absent)}: a work's side is drawn by its name, one in twenty each, so that it "
            "stays when files are added; more works fill all sides, and `arietta finetune` holds some out of a few"
        )
    for kind, count in report["rejected"].items():
        file, reason = report["examples"][kind]
        if count == 1:
            yield f"  rejected 1: {file} ({reason})"
        else:
            details = "" if reason == kind else f" ({reason.removeprefix(kind + ': ')})"
            yield f"  rejected {count}: {kind}, for example {file}{details}"
    for work in report["largest works"][:1]:
        yield f"  largest work: {work['files']} files ({work['share']:.1%}), {work['work']}"

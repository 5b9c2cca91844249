"""Teach a model your own pieces: minutes on a processor for 10 to 50 MIDI files (needs the train extra).

examples:
  arietta finetune my-midi --out runs/mine --composer "Clara Schumann"
  arietta compose --model runs/mine/bundle --style schumann
  arietta finetune my-midi --out runs/mine --from concert --steps 200
  arietta finetune corpus --out runs/grieg --set 'data.only_composers=["Edvard Grieg"]'     (of a corpus)

Some works are held out, and the weights under which they are likeliest are saved: training ends by itself when they
become no likelier. What the model knew before is not forgotten at once, and `--style any` mixes both. The licence of
the model that training begins from still holds, besides that of your files.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..corpus.store import MANIFEST, open_store
from ..model.bundle import DEFAULT_MODEL
from ..names import escape_name
from ..program import command
from .progress import progress_bar
from .training_run import add_run_arguments, print_outcome, progress_line, read_overrides, require_train_extra, show_log

if TYPE_CHECKING:
    from ..corpus.store import Store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder", type=Path, metavar="DIR", help="folder of MIDI files, or a corpus of `arietta ingest`"
    )
    parser.add_argument("--from", dest="pretrained", default=DEFAULT_MODEL, metavar="MODEL",
                        help="a model's name, its folder, or a run's best.pt (default %(default)s)")  # fmt: skip
    parser.add_argument("--composer", default="", help="composer of all the files, where their names do not say it")
    parser.add_argument("--licence", default="", help="what all the files may be used for")
    add_run_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Fine-tune and export; returns 130 where it was stopped before its end."""
    require_train_extra()
    from ..train.checkpoint import BEST
    from ..train.finetune import describe_pretrained, finetune_settings, warnings, with_held_out
    from ..train.hardware import use_hardware
    from ..train.log import read_metrics
    from ..train.loop import train
    from ..train.onnx.export import describe_training, export
    from ..train.plan import describe_data, plan_run
    from ..train.pretrained import read_pretrained

    show_log()
    pretrained = read_pretrained(arguments.pretrained)
    settings = finetune_settings(pretrained, read_overrides(arguments))
    store = with_held_out(_corpus(arguments).select(settings.data.corpora, settings.data.only_composers))
    for warning in warnings(store):
        print(f"arietta: {escape_name(warning)}", file=sys.stderr)
    with use_hardware(arguments.device, settings.train.precision, threads=arguments.threads) as hardware:
        outcome = train(plan_run(settings, store, pretrained), arguments.out, hardware, report=progress_line())
    print_outcome(arguments.out, outcome, next_command=command("compose", "--model", arguments.out / "bundle"))
    if outcome.reason == "interrupted":
        return 130
    scores = [line for line in read_metrics(arguments.out) if line["kind"] == "validation"]
    before, after = scores[0]["nats_per_note"], min(line["nats_per_note"] for line in scores)
    print(f"How much held-out pieces surprise the model: {before:.3f} nats per note before, {after:.3f} after.")
    if not outcome.best_step:
        print("They did not become likelier: the model is as before. More pieces, or a lower train.rate, may help.")
    card = {
        "title": escape_name(f"{arguments.out.name}, from {pretrained.name}"),
        "data": describe_data(store),
        "licence": " and ".join(filter(None, [pretrained.card.get("licence"), escape_name(arguments.licence)])),
        "split": "One side for each work; the model keeps to the split of the one it began from.",
        "began_from": describe_pretrained(pretrained),
        "training": describe_training(arguments.out),
    }
    export(arguments.out / BEST, arguments.out / "bundle", card)
    return 0


def _corpus(arguments: argparse.Namespace) -> Store:
    """Open the corpus, or make one of a folder of MIDI files, inside the run's folder."""
    if (arguments.folder / MANIFEST).exists():
        return open_store(arguments.folder)
    from ..corpus.ingest import IngestConfig, ingest

    corpus = arguments.out / "corpus"
    with progress_bar("reading", "file") as progress:
        ingest([arguments.folder], corpus, IngestConfig(arguments.composer, "", arguments.licence), progress)
    return open_store(corpus)

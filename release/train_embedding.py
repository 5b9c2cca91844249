"""Train the embedding that ships, from GiantMIDI-Piano's training side, and write its file.

    python -m release.train_embedding --corpus corpus --out runs/embedding
    cp runs/embedding/embedding-1.npz arietta/

About 12 minutes of one core, 3 with `--steps 400` to try it. Only GiantMIDI-Piano (CC BY 4.0) is learned from, so that
the weights may ship with the package; its validation side chooses how sure the classifier is. The same seed gives the
same weights on one machine; a run that was stopped goes on. Composers with 12 training pieces or more are learned; the
file names those of whom the whole corpus's training side has 25 or more (counted, not learned from).
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from arietta.cli.progress import progress_bar
from arietta.corpus.store import Piece, Store, open_store
from arietta.errors import AriettaError
from arietta.evaluation.embedding import WEIGHTS
from arietta.train.embedding.data import composers_with, long_pieces, read_library
from arietta.train.embedding.export import (
    EmbeddingFile,
    calibrate,
    embed_pieces,
    from_trainer,
    select_composers,
    whiten,
    write_embedding,
)
from arietta.train.embedding.training import EmbeddingProgress, EmbeddingSettings, EmbeddingTrainer, train_embedding
from arietta.train.hardware import has_fast_bfloat16

LEARNED, NAMED = 12, 25  # pieces that a composer must have
WHITENED_BY = 2000  # pieces over which the dimensions that matter are measured
CORPUS = "giantmidi"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=EmbeddingSettings.steps)
    parser.add_argument("--seed", type=int, default=EmbeddingSettings.seed)
    parser.add_argument("--threads", type=int, default=1)
    try:
        run(parser.parse_args())
    except AriettaError as error:
        sys.exit(f"train_embedding: {error}")


def run(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(arguments.threads)
    store = open_store(arguments.corpus)
    pieces = long_pieces(store, CORPUS, "train")
    with progress_bar("reading pieces", "piece") as progress:
        library = read_library(store, pieces, composers_with(pieces, LEARNED), progress)
    settings = EmbeddingSettings(steps=arguments.steps, seed=arguments.seed)
    trainer = EmbeddingTrainer(settings, library, bfloat16=has_fast_bfloat16(is_cuda=False))
    with tqdm(total=settings.steps, unit="step") as steps_bar:
        train_embedding(trainer, arguments.out, report=lambda progress: show(steps_bar, progress))
    file = finish(from_trainer(trainer), store, pieces)
    write_embedding(arguments.out / WEIGHTS.name, file)
    print(f"{arguments.out / WEIGHTS.name}: {len(file.composers)} composers")


def show(steps_bar: tqdm[None], progress: EmbeddingProgress) -> None:
    """Write the loss and the accuracies beside the bar."""
    steps_bar.set_postfix_str(
        f"loss {progress.loss:.3f}, right: composer {progress.composer_accuracy:.1%}, "
        f"partner {progress.partner_accuracy:.1%}, contiguity {progress.contiguity_accuracy:.1%}"
    )
    steps_bar.update(progress.step - steps_bar.n)


def finish(learned: EmbeddingFile, store: Store, pieces: list[Piece]) -> EmbeddingFile:
    """Whiten the dimensions, select the composers and calibrate the head."""
    sample = np.random.default_rng(0).permutation(len(pieces))[:WHITENED_BY]
    with progress_bar("embedding training pieces", "piece") as progress:
        music = embed_pieces(learned, store, [pieces[index] for index in sample], progress=progress)
    selected = select_composers(whiten(learned, music), well_known(store, learned.composers))
    held_out = [piece for piece in long_pieces(store, CORPUS, "validation") if piece.composer in selected.composers]
    return calibrate(selected, embed_pieces(selected, store, held_out), [piece.composer for piece in held_out])


def well_known(store: Store, learned: tuple[str, ...]) -> list[str]:
    """Return the composers to be named, in the order of their training pieces in both corpora."""
    counts = Counter(piece.composer for piece in store.pieces if piece.split == "train")
    return [name for name, count in counts.most_common() if count >= NAMED and name in learned]


if __name__ == "__main__":
    main()

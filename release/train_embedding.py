"""Train the embedding that ships, from GiantMIDI-Piano's training side, and write its file.

    python -m release.train_embedding --corpus corpus --out runs/embedding
    cp runs/embedding/embedding-1.npz arietta/

About 12 minutes of one core, 3 with `--steps 400` to try it. Only GiantMIDI-Piano (CC BY 4.0) is learned from, so that
the weights may ship with the package; its validation side chooses how sure the classifier is. The same seed gives the
same weights on one machine; a run that was stopped goes on. Composers with 12 training pieces or more are learned; the
file names those of whom the whole corpus's training side has 25 or more (counted, not heard).
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from arietta.cli.progress import bar
from arietta.corpus.store import Piece, Store, open_store
from arietta.errors import AriettaError
from arietta.evaluation.embedding import WEIGHTS
from arietta.train.embedding.data import composers_with, gather, long_enough
from arietta.train.embedding.export import Shipped, embed_pieces, keep, sharpen, trained, turn, write_embedding
from arietta.train.embedding.training import EmbeddingSettings, Learner, Progress, train
from arietta.train.hardware import has_fast_bfloat16

LEARNED, NAMED = 12, 25  # pieces that a composer must have
TURNED_BY = 2000  # pieces, in which the dimensions are found that matter
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
    pieces = long_enough(store, CORPUS, "train")
    with bar("reading pieces", "piece") as progress:
        library = gather(store, pieces, composers_with(pieces, LEARNED), progress)
    settings = EmbeddingSettings(steps=arguments.steps, seed=arguments.seed)
    learner = Learner(settings, library, bfloat16=has_fast_bfloat16(is_cuda=False))
    with tqdm(total=settings.steps, unit="step") as drawn:
        train(learner, arguments.out, report=lambda progress: show(drawn, progress))
    shipped = finish(trained(learner), store, pieces)
    write_embedding(arguments.out / WEIGHTS.name, shipped)
    print(f"{arguments.out / WEIGHTS.name}: {len(shipped.composers)} composers")


def show(drawn: tqdm[None], progress: Progress) -> None:
    right = f"named {progress.named:.1%}, found {progress.found:.1%}, whole {progress.whole:.1%}"
    drawn.set_postfix_str(f"loss {progress.loss:.3f}, {right}")
    drawn.update(progress.step - drawn.n)


def finish(learned: Shipped, store: Store, pieces: list[Piece]) -> Shipped:
    """Turn, keep and sharpen what was learned."""
    some = np.random.default_rng(0).permutation(len(pieces))[:TURNED_BY]
    with bar("hearing training pieces", "piece") as progress:
        turned = turn(learned, embed_pieces(learned, store, [pieces[place] for place in some], progress=progress))
    kept = keep(turned, well_known(store, learned.composers))
    held = [piece for piece in long_enough(store, CORPUS, "validation") if piece.composer in kept.composers]
    return sharpen(kept, embed_pieces(kept, store, held), [piece.composer for piece in held])


def well_known(store: Store, learned: tuple[str, ...]) -> list[str]:
    """The composers to be named, in the order of their training pieces in both corpora."""
    counts = Counter(piece.composer for piece in store.pieces if piece.split == "train")
    return [name for name, count in counts.most_common() if count >= NAMED and name in learned]


if __name__ == "__main__":
    main()

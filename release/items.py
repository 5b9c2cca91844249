"""Write docs/use/models/items.jsonl.xz: every item that a model was trained, validated or tested on.

    python -m release.items CORPUS

CORPUS is the folder that `arietta ingest` wrote of the music that the models were trained on; of its manifest each file
that was kept gives a line: corpus, file, licence, SHA-256, side of the split, and the models that it is an item of.
`python -m release.cards` then counts them in the models' cards.
"""

from __future__ import annotations

import json
import lzma
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from arietta.corpus.labels import SPLITS
from benchmarks.shared.report import ROOT

ITEMS = ROOT / "docs" / "use" / "models" / "items.jsonl.xz"
KEYS = ("corpus", "file", "licence", "sha256", "split")
GRIEG = "Edvard Grieg"
# Model -> the corpora that it was trained on, and the only composer of whom it was, as its card's settings say.
# `concert`'s mean holds weights of `piano`, so both corpora; `grieg` began from `piano`, whose items are its own too.
TRAINED_ON: Mapping[str, tuple[tuple[str, ...], str]] = {
    "piano": (("giantmidi",), ""),
    "concert": (("maestro", "giantmidi"), ""),
    "piano-relative": (("giantmidi",), ""),
    "grieg": (("piano-midi.de",), GRIEG),
    "grieg-lstm": (("piano-midi.de",), GRIEG),
}
# Items on the test side of the other models, whose side changed with the reader of files, by SHA-256 -> the models that
# were trained on them.
LATER = {"90fd2f0745f61b82d134796f12687eae750944a8fd5d0800ff292deb06e72ce1": ["piano-relative"]}


def items(manifest: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield the items of a manifest's lines, in their order."""
    for line in manifest:
        entry = json.loads(line)
        if entry["state"] == "kept":
            models = [
                model
                for model, (corpora, composer) in TRAINED_ON.items()
                if entry["corpus"] in corpora and composer in ("", entry["composer"])
            ]
            yield {key: entry[key] for key in KEYS} | {"models": LATER.get(entry["sha256"], models)}


def read_items() -> list[dict[str, Any]]:
    """Read the file that `main` wrote."""
    return [json.loads(line) for line in lzma.decompress(ITEMS.read_bytes()).decode().splitlines()]


def count_items(model: str) -> dict[str, dict[str, int]]:
    """Count a model's items: corpus -> side of the split -> number."""
    counts = Counter((item["corpus"], item["split"]) for item in read_items() if model in item["models"])
    return {
        corpus: {split: counts[corpus, split] for split in SPLITS if counts[corpus, split]}
        for corpus in sorted({corpus for corpus, _ in counts})
    }


def main() -> None:
    (corpus,) = sys.argv[1:]
    with (Path(corpus) / "manifest.jsonl").open(encoding="utf-8") as manifest:
        text = "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items(manifest))
    ITEMS.write_bytes(lzma.compress(text.encode(), preset=9))


if __name__ == "__main__":
    main()

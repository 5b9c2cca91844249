"""Write the lists of hashes by which files of known corpora are recognised, from the manifest of an ingested corpus.

    python -m release.known_files corpus/manifest.jsonl

A list is the first eight bytes of the SHA-256 of each file, sorted, in arietta/corpus/hashes/:

    giantmidi_train.bin    GiantMIDI-Piano, files that the shipped weights were trained on
    giantmidi_rest.bin     GiantMIDI-Piano, every other file
    maestro_train.bin      MAESTRO, files that the shipped weights were trained on

They were written from the corpus that the weights were trained on (91ffd15: MAESTRO v3.0.0, GiantMIDI-Piano and
sixteen pieces by Grieg, all in one). Write them again only when weights trained on another corpus are shipped.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

from arietta.corpus.known import FOLDER, HASH_BYTES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    hashes: dict[str, set[bytes]] = defaultdict(set)
    for text in parser.parse_args().manifest.read_text(encoding="utf-8").split("\n"):
        if not text:
            continue
        line = json.loads(text)
        is_trained_on = line["state"] == "kept" and line["split"] == "train"
        if line["corpus"] == "giantmidi" or (line["corpus"] == "maestro" and is_trained_on):
            name = f"{line['corpus']}_{'train' if is_trained_on else 'rest'}"
            hashes[name].add(bytes.fromhex(line["sha256"])[:HASH_BYTES])
    for name, members in hashes.items():
        (FOLDER / f"{name}.bin").write_bytes(b"".join(sorted(members)))
        print(f"{name}: {len(members)} files")


if __name__ == "__main__":
    main()

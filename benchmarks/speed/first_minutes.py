"""How long a newcomer waits, from nothing, by the steps of the README, each typed as soon as the one before has ended.

    python -m benchmarks.speed.first_minutes MIDI_FOLDER [--finetune]

Clones this checkout into a folder of its own and makes an environment there, so packages come from wherever pip finds
them. The theme is the first file of MIDI_FOLDER, which --finetune teaches besides. Prints JSON lines for each step:
seconds from nothing to its end, of the clock and of the processor, which a busy machine lengthens less.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from time import perf_counter

from benchmarks.shared.report import ROOT, processor_seconds, report

PROGRAM = """import arietta
take = arietta.compose(notes=300, style="Chopin", seed=7)
take.save("nocturne.mid")
"""
STEPS = {
    "the first piece: MIDI, sound and picture": "make run",
    "four ways to go on from a MIDI file": "{bin}/arietta compose --prompt {theme} --prompt-notes 40 --count 4",
    "the first call from own code": "{bin}/python first.py",
}
TAUGHT = {
    "what training needs is installed": "{bin}/python -m pip install --quiet -e .[train]",
    "a model taught the folder": "{bin}/arietta finetune {folder} --out runs/mine",
    "a piece by it": "{bin}/arietta compose --model runs/mine/bundle",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="MIDI_FOLDER")
    parser.add_argument("--finetune", action="store_true", help="also teach a model the folder, which takes minutes")
    arguments = parser.parse_args()
    theme = min(arguments.folder.resolve().glob("*.mid*"))
    with tempfile.TemporaryDirectory() as home:
        began = perf_counter()
        checkout = Path(home) / "arietta"
        run(f"git clone --quiet {ROOT} {checkout}", Path(home))
        (checkout / "first.py").write_text(PROGRAM, encoding="utf-8")
        for name, step in (STEPS | (TAUGHT if arguments.finetune else {})).items():
            run(step.format(bin=".venv/bin", theme=theme, folder=arguments.folder.resolve()), checkout)
            report(f"first minutes/{name}", [perf_counter() - began], "s", threads=os.cpu_count() or 1)
            report(f"first minutes/{name}, processor", [processor_seconds()], "s", threads=os.cpu_count() or 1)


def run(line: str, folder: Path) -> None:
    """Run a command in `folder` with nothing of this checkout's own environment; raises where it fails."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    words = line.split()
    program = shutil.which(words[0], path=os.pathsep.join([str(folder), kept.get("PATH", "")])) or str(
        folder / words[0]
    )
    subprocess.run([program, *words[1:]], cwd=folder, env=kept, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()

"""Build what is published, a wheel and an sdist, from what is committed: the same bytes of the same commit.

    python -m release.dist               into dist/, checked by twine and check-wheel-contents
    python -m release.dist --out FOLDER

Times are those of the commit. What setuptools leaves to the machine in an sdist (owners, times, order) is written anew.
"""

from __future__ import annotations

import argparse
import gzip
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    out = parser.parse_args().out.resolve()
    files = build(out)
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", *files], check=True)
    wheels = [file for file in files if file.suffix == ".whl"]
    subprocess.run([sys.executable, "-m", "check_wheel_contents", *wheels], check=True)
    for file in files:
        print(f"{file}: {file.stat().st_size / 1e6:.1f} MB")


def build(out: Path) -> list[Path]:
    """Build a wheel and an sdist of the last commit into `out`; return their paths."""
    committed = int(_git("log", "-1", "--format=%ct"))
    with tempfile.TemporaryDirectory() as folder:
        source, built = Path(folder) / "source", Path(folder) / "built"
        with tarfile.open(fileobj=io.BytesIO(_git("archive", "HEAD"))) as archive:
            archive.extractall(source, filter="data")
        environment = os.environ | {"SOURCE_DATE_EPOCH": str(committed)}
        call = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(built), str(source)]
        done = subprocess.run(call, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stdout + done.stderr)
        out.mkdir(parents=True, exist_ok=True)
        for file in built.iterdir():
            content = file.read_bytes()
            (out / file.name).write_bytes(normalise(content, committed) if file.suffix == ".gz" else content)
        return sorted(out / file.name for file in built.iterdir())


def normalise(sdist: bytes, seconds: int) -> bytes:
    """Write a .tar.gz anew with sorted names, one time and no owner."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(sdist)) as old, tarfile.open(fileobj=tar, mode="w") as new:
        for member in sorted(old.getmembers(), key=lambda member: member.name):
            member.mtime, member.uid, member.gid, member.uname, member.gname = seconds, 0, 0, "", ""
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            member.pax_headers = {}
            new.addfile(member, old.extractfile(member) if member.isfile() else None)
    return gzip.compress(tar.getvalue(), mtime=seconds)


def _git(*words: str) -> bytes:
    return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True).stdout


if __name__ == "__main__":
    main()

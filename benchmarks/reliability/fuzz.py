"""Damaged files and bodies by the thousand: each is read or refused with one of our errors, within two seconds.

    python -m benchmarks.reliability.fuzz [--minutes 5] [--seed 0] [--only midi corpus ...] [--out FOLDER]

Takes sound files, alters them at random (bits, bytes, cuts, copies, lengths that lie; of JSON also values by others of
any type and size) and reads them. A JSON line for each kind: how many were tried, how many read and how many refused,
the longest time of the processor, and what was neither. With --out, the input of each finding is kept there.
"""

from __future__ import annotations

import argparse
import copy
import json
import shutil
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from arietta.corpus.store import MANIFEST, StoreWriter, open_store
from arietta.errors import AriettaError
from arietta.model.bundle import CARD, DEFAULT_MODEL, DESCRIPTION, find_bundle, load_bundle
from arietta.music.midi import midi_bytes, read_meter, read_midi, read_midi_remarks, read_texts
from arietta.music.notation import read_score
from arietta.music.notes import Notes
from arietta.render.score import score_musicxml
from arietta.serve.jobs.limits import Limits
from benchmarks.shared.report import commit

JSON = "application/json"
MOST_SECONDS = 2.0  # of the processor, for any of them
Rng = np.random.Generator
Reader = Callable[[Rng], bytes]  # reads one altered input and returns it; raises AriettaError where it is refused
INTERESTING = (0, 1, 0x7F, 0x80, 0xFF, ord("["), ord('"'), ord("<"), ord("&"))
VALUES = (
    *(None, True, -1, 0, 1, 2**31, 10**9, 10**30, 0.5, -1e308, 1e-320, "", "x", "\udfff", "\x1b]0;t\x07", "9" * 400),
    *([], {}, [[]], [None] * 100, {"a": {"b": []}}, "../../etc/passwd", "a\u2028b", float("nan"), float("inf")),
)


@dataclass
class Findings:
    """What came of the inputs of a kind."""

    tried: int = 0
    read: int = 0
    refused: int = 0
    longest: float = 0.0
    faults: list[str] = field(default_factory=list)


def alter_bytes(data: bytes, rng: Rng) -> bytes:
    """Alter bytes in one to eight places."""
    content = bytearray(data)
    for _ in range(int(rng.integers(1, 9))):
        at, size = int(rng.integers(0, len(content) + 1)), int(rng.integers(1, 40))
        match int(rng.integers(6)):
            case 0 if at < len(content):
                content[at] ^= 1 << int(rng.integers(8))
            case 1 if at < len(content):
                content[at] = INTERESTING[int(rng.integers(len(INTERESTING)))]
            case 2:
                del content[at : at + size]
            case 3:
                content[at:at] = content[at : at + size] * int(rng.integers(1, 5))
            case 4:
                content[at : at + 4] = int(rng.integers(2**32)).to_bytes(4, "big")
            case _:
                content[at:at] = rng.bytes(size)
    return bytes(content[: int(rng.integers(len(content) + 1))] if rng.random() < 0.05 else content)


def alter_values(content: Any, rng: Rng) -> Any:
    """Put other values into a copy of JSON: in one to three places, by others, by none, or by one from elsewhere."""
    content = copy.deepcopy(content)
    for _ in range(int(rng.integers(1, 4))):
        inner = content
        while True:
            keys = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
            if not keys:
                break
            key = keys[int(rng.integers(len(keys)))]
            if isinstance(inner[key], dict | list) and inner[key] and rng.random() < 0.8:
                inner = inner[key]
                continue
            if rng.random() < 0.15:
                del inner[key]
            else:
                inner[key] = copy.deepcopy(VALUES[int(rng.integers(len(VALUES)))])
            break
    return content


def alter_json(text: bytes, rng: Rng) -> bytes:
    """Alter JSON by its values, or, one in four, by its bytes."""
    if rng.random() < 0.25:
        return alter_bytes(text, rng)
    return json.dumps(alter_values(json.loads(text), rng)).encode()


def _music(rng: Rng, count: int = 60) -> Notes:
    onset = np.cumsum(rng.uniform(0, 0.4, count))
    return Notes.of(onset, rng.uniform(0.05, 2, count), rng.integers(21, 109, count), rng.integers(1, 128, count))


@contextmanager
def midi(model: str) -> Iterator[Reader]:
    """MIDI files."""
    rng = np.random.default_rng(1)
    seeds = [midi_bytes(_music(rng), title="é", texts=['arietta {"seed": 1}'], grid=grid) for grid in (None, 120.0)]

    def read(rng: Rng) -> bytes:
        data = alter_bytes(seeds[int(rng.integers(len(seeds)))], rng)
        for reader in (read_texts, read_meter, read_midi_remarks, read_midi):
            try:
                reader(data)
            except AriettaError:
                if reader is read_midi:
                    raise Refused(data) from None
        return data

    yield read


@contextmanager
def musicxml(model: str) -> Iterator[Reader]:
    """Scores."""
    seed = score_musicxml(_music(np.random.default_rng(1), 30)).encode()

    def read(rng: Rng) -> bytes:
        return _read(alter_bytes(seed, rng), read_score)

    yield read


@contextmanager
def bundle(model: str) -> Iterator[Reader]:
    """Descriptions and cards of a model."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        shutil.copytree(find_bundle(model), path)
        seeds = {name: (path / name).read_bytes() for name in (DESCRIPTION, CARD)}

        def read(rng: Rng) -> bytes:
            name = (DESCRIPTION, CARD)[int(rng.integers(2))]
            altered = alter_json(seeds[name], rng)
            for other, content in seeds.items():
                (path / other).write_bytes(altered if other == name else content)
            return _read(altered, lambda _: load_bundle(path))

        yield read


@contextmanager
def corpus(model: str) -> Iterator[Reader]:
    """Manifests and columns."""
    with tempfile.TemporaryDirectory() as folder:
        path, rng = Path(folder), np.random.default_rng(1)
        pieces = [_music(rng) for _ in range(3)]
        with StoreWriter(path) as writer:
            spans = [writer.append(notes) for notes in pieces]
            writer.finish([_line(number, notes) for number, notes in enumerate(pieces)], spans)
        seeds = {file.name: file.read_bytes() for file in path.iterdir()}

        def read(rng: Rng) -> bytes:
            name = sorted(seeds)[int(rng.integers(len(seeds)))]
            lines = seeds[name].split(b"\n") if name == MANIFEST else []
            if lines and rng.random() < 0.7:
                number = int(rng.integers(3))
                lines[number] = alter_json(lines[number], rng)
            altered = b"\n".join(lines) if lines else alter_bytes(seeds[name], rng)
            for other, content in seeds.items():
                (path / other).write_bytes(altered if other == name else content)

            def read_all(_: bytes) -> None:
                store = open_store(path)
                for piece in store.pieces:
                    store.notes(piece.index)

            return _read(altered, read_all)

        yield read


@contextmanager
def bodies(model: str) -> Iterator[Reader]:
    """Bodies of requests, to every endpoint that takes one; the server may answer anything but 500 and above."""
    from starlette.testclient import TestClient

    from arietta.serve.app import create_app
    from arietta.serve.jobs.history.pieces import open_history
    from arietta.serve.jobs.models import Models
    from arietta.serve.jobs.service import Service

    with ExitStack() as opened:
        folder = opened.enter_context(tempfile.TemporaryDirectory())
        limits = Limits(most_notes=4, most_seconds=2, places=10_000, most_per_client=10_000)
        app = create_app(Service(Models([model]), open_history(Path(folder)), limits))
        client = opened.enter_context(TestClient(app, "http://localhost", raise_server_exceptions=False))
        piece = client.post("/v1/pieces?wait=30", json={"notes": 3, "seed": 7}).json()["pieces"][0]["id"]
        requests, version = list(_requests(piece)), '"0"'

        def read(rng: Rng) -> bytes:
            nonlocal version
            method, path, kind, seed = requests[int(rng.integers(len(requests)))]
            altered = (alter_json if kind == JSON else alter_bytes)(seed, rng)
            answer = client.request(method, path, content=altered, headers={"Content-Type": kind, "If-Match": version})
            version = answer.headers.get("ETag", version) if "/revisions" in path else version
            if answer.status_code >= 500:
                raise ServerFault(altered, f"{method} {path}: {answer.status_code} {answer.text[:200]}")
            if answer.status_code >= 400:
                raise Refused(altered)
            return altered

        yield read


def _requests(piece: str) -> Iterator[tuple[str, str, str, bytes]]:
    """Yield sound requests about a piece, one for each way to ask: method, path, kind and body."""
    rows = [[0.25 * number, 0.2, pitch, 64] for number, pitch in enumerate([60, 64, 67, 65, 69, 67, 62, 59, 60])]
    given = {"notes": rows, "pedal": [[0, 2]]}
    pieces: list[dict[str, Any]] = [
        {"notes": 3, "seed": 7, "style": "any", "name": "Evening", "count": 1, "top_p": 0.9, "prompt": given},
        {"seconds": 1.5, "continues": piece, "prompt_notes": 2, "temperature": {"time": 1.1}, "ending": True},
        {"verb": "regenerate", "given": given, "from": 1.0, "to": 2.0, "keep": [3, 4], "keep_pedal": True},
        {"verb": "regenerate", "given": {"piece": piece}, "from": 0.0, "to": 1.0, "keep": "left"},
        {"verb": "extend", "given": given, "at": 1.5, "notes": 3, "density": [[0, 2], [1, 8]]},
        {"verb": "connect", "given": given, "second": given, "seconds": 1.5},
        {"verb": "perform", "given": given, "loudness": "mf"},
        {"verb": "lead_in", "given": given, "seconds": 1.0, "loudness": [[0, "pp"], [1, "f"]]},
        {"verb": "accompany", "given": given, "keep": "right"},
        {"verb": "vary", "given": given, "from": 1.0, "strength": 0.5, "key": "D major", "transpose": True},
    ]
    revision = given | {"parent": 0, "cause": "sketch", "locks": [0], "composed": [1, 2]}
    changes = f"/v1/pieces/{piece}", f"/v1/pieces/{piece}/revisions"
    asked = [("POST", "/v1/pieces", body) for body in pieces]
    asked += [("POST", "/v1/prompts", pieces[2]), ("PATCH", changes[1], {"head": 0}), ("POST", changes[1], revision)]
    asked += [("PATCH", changes[0], {"name": "Morning", "is_favourite": True})]
    asked += [("PATCH", f"{changes[1]}/1", {"name": "brighter"})]
    for method, path, body in asked:
        yield method, path, JSON, json.dumps(body).encode()
    file = midi_bytes(_music(np.random.default_rng(1), 8))
    parts = {'name="notes"': b"3", 'name="prompt_notes"': b"5", 'name="prompt"; filename="a.mid"': file}
    form = b"".join(
        b"--x\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % (k.encode(), v) for k, v in parts.items()
    )
    yield "POST", "/v1/pieces", "multipart/form-data; boundary=x", form + b"--x--\r\n"
    yield "POST", "/v1/uploads?name=waltz", "application/octet-stream", file


KINDS: Mapping[str, Callable[[str], Any]] = {
    "midi": midi,
    "musicxml": musicxml,
    "bundle": bundle,
    "corpus": corpus,
    "bodies": bodies,
}


class Refused(Exception):  # noqa: N818 - which is no error here
    """The input was refused, as it should be."""


class ServerFault(Exception):  # noqa: N818
    """The server blames itself for an input."""


def _read(data: bytes, reader: Callable[[bytes], object]) -> bytes:
    """Read an input and return it; raises Refused with it where one of our errors says so."""
    try:
        reader(data)
    except AriettaError as error:
        raise Refused(data) from error
    except Exception as error:
        raise ServerFault(data, "".join(traceback.format_exception(error)[-3:])) from error
    return data


def _line(index: int, notes: Notes) -> dict[str, object]:
    names = ("composer", "title", "work", "source", "corpus", "licence", "folder", "reason", "sha256")
    line = {"file": f"{index}.mid", "state": "kept", "split": "train", "index": index, "notes": len(notes)}
    return line | {"seconds": notes.seconds} | dict.fromkeys(names, "a")


def fuzz(kind: str, seconds: float, *, seed: int = 0, model: str = DEFAULT_MODEL, out: Path | None = None) -> Findings:
    """Alter and read inputs of a kind for so many seconds; faults begin with the number of their input."""
    findings, deadline = Findings(), time.monotonic() + seconds
    with KINDS[kind](model) as read:
        while time.monotonic() < deadline:
            number, data, fault = findings.tried, b"", ""
            findings.tried += 1
            begun = time.process_time()
            try:
                data = read(np.random.default_rng([seed, number]))
                findings.read += 1
            except Refused as refusal:
                data = refusal.args[0]
                findings.refused += 1
            except ServerFault as error:
                data, fault = error.args
            except Exception:  # noqa: BLE001 - whatever it is, it is what is sought
                fault = traceback.format_exc()
            took = time.process_time() - begun
            findings.longest = max(findings.longest, took)
            if not fault and took > MOST_SECONDS:
                fault = f"took {took:.1f} s"
            if fault:
                findings.faults.append(f"{number}: {fault}")
                if out and data:
                    out.mkdir(parents=True, exist_ok=True)
                    (out / f"{kind}-{seed}-{number}").write_bytes(data)
    return findings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1.0, help="in all (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of what is altered (%(default)s)")
    parser.add_argument("--only", nargs="+", choices=KINDS, default=list(KINDS), metavar="KIND")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--out", type=Path, help="where the inputs of findings are kept")
    arguments = parser.parse_args()
    seconds, failed = 60 * arguments.minutes / len(arguments.only), False
    for kind in arguments.only:
        findings = fuzz(kind, seconds, seed=arguments.seed, model=arguments.model, out=arguments.out)
        failed = failed or bool(findings.faults)
        faults = {"faults": len(findings.faults), "first": [fault[-600:] for fault in findings.faults[:3]]}
        figures = {"tried": findings.tried, "read": findings.read, "refused": findings.refused}
        line = {"name": f"fuzz/{kind}", **figures, "longest": round(findings.longest, 3), **faults, "commit": commit()}
        print(json.dumps(line), flush=True)
    raise SystemExit(failed)


if __name__ == "__main__":
    main()

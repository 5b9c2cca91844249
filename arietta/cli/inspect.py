"""Show what is in a MIDI file, a corpus or a model.

examples:
  arietta inspect piece.mid                      notes, length, range, pedal, and the request that made it
  arietta inspect piece.mid --roll piece.png     and draw its piano roll (.png or .svg)
  arietta inspect corpus                         what `arietta ingest` kept and rejected, and why
  arietta inspect concert                        a model that came with the program, or the folder of one
  arietta inspect corpus --verify                read all of a corpus, a model or a run, and check its checksums
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..corpus.store import MANIFEST, Tally, open_store, read_manifest, reason_kind, tally
from ..errors import RequestError
from ..music.meter import LATTICE, lay_out_bars
from ..music.summary import PieceSummary, pitch_counts, step_counts, summarise_piece
from ..names import escape_name
from .table import facts, histogram, outline, table

if TYPE_CHECKING:
    from ..model.bundle import Bundle
    from ..music.meter import Meter
    from ..music.notes import Notes

MOST_COMPOSERS, MOST_WORKS = 20, 10
MOST_NESTED = 6  # of a card's figures that are listed below each other


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", metavar="PATH", help="a MIDI file, a corpus, a model's folder or name")
    parser.add_argument("--roll", metavar="FILE", type=Path, help="draw a MIDI file's piano roll (.png or .svg)")
    parser.add_argument("--verify", action="store_true", help="read all of a corpus, a model or a run: is it sound?")
    parser.add_argument("--tracks", metavar="N,N", type=_tracks, help="read only these tracks, counted from 0")


def run(arguments: argparse.Namespace) -> int:
    path = Path(arguments.path)
    if arguments.verify:
        return _verify(path)
    if path.exists() and not path.is_dir():  # a pipe is no file, and may hold one
        _show_piece(path, arguments.tracks, arguments.roll)
        return 0
    if arguments.roll or arguments.tracks is not None:
        raise RequestError(f"{path}: --roll and --tracks are for a MIDI file, and this is none")
    if (path / MANIFEST).is_file():
        _show_corpus(path)
    else:
        _show_bundle(_model(path))
    return 0


def _verify(path: Path) -> int:
    from .checksums import RUN, verify_checksums

    if path.exists() and not path.is_dir():
        raise RequestError(f"{path}: --verify is for a corpus, a model or a run; a MIDI file has no checksum")
    if not any((path / name).is_file() for name in (MANIFEST, RUN)):
        _model(path)
    for sentence in verify_checksums(path):
        print(f"{escape_name(path)}: {escape_name(sentence)}")
    return 0


def _model(path: Path) -> Path:
    """Make sure that this names a model or its folder; raises RequestError with what it might have been."""
    from ..model.bundle import DESCRIPTION, list_bundles
    from .checksums import RUN

    names = list_bundles()
    if str(path) in names or any((path / name).is_file() for name in (DESCRIPTION, RUN)):
        return path  # loading it says of a training run how it becomes a model
    if path.is_dir():
        raise RequestError(
            f"{path}: neither a corpus (it has no {MANIFEST}) nor a model (no {DESCRIPTION}); "
            f"`arietta ingest {path} --out corpus` makes a corpus of the MIDI files in it"
        )
    raise RequestError(f"{path}: no such file or folder, and no such model (there are: {', '.join(names) or 'none'})")


def _tracks(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of track numbers such as 0,2") from error


# A MIDI file


def _show_piece(path: Path, tracks: list[int] | None, roll: Path | None) -> None:
    from ..generation.request import read_request_text
    from ..music.midi import read_meter, read_midi, read_midi_bytes, read_midi_remarks, read_texts

    data = read_midi_bytes(path)
    notes = read_midi(data, name=str(path), tracks=tracks)
    request = read_request_text(read_texts(data))
    remarks = read_midi_remarks(data, tracks=tracks)
    print(escape_name(path))
    values = _piece_facts(summarise_piece(notes)) if len(notes) else {"notes": "none"}
    if (meter := read_meter(data)) and len(notes):
        values["bars"] = _bars(meter, notes)
    print(facts(values | ({"as read": " ".join(remarks)} if remarks else {})))
    if len(notes):
        print("\nnotes by pitch (C4 is middle C)")
        print(histogram({_pitches(*span): count for span, count in pitch_counts(notes).items()}))
    if len(notes) > 1:
        print("\ntime from one onset to the next")
        print(histogram({_times(*span): count for span, count in step_counts(notes).items()}))
    if request:
        print("\ncomposed by Arietta")
        print(outline(_as_typed(request)))
    if roll:
        _draw(roll, notes, escape_name(path.stem), request)
        print(f"\npiano roll in {escape_name(roll)}")


def _bars(meter: Meter, notes: Notes) -> str:
    """Say which bars a file has: how many, of which metre at first, and how fast on average."""
    pickup, marks = meter.pickup, meter.signatures
    first, *others = marks[1:] if pickup else marks
    begin, end = meter.tempos[0].seconds, notes.seconds
    short = f"{marks[0].beats}/{marks[0].unit}" if pickup == marks[0].quarters else f"{float(pickup):g} quarter notes"
    more = f" after a pickup of {short}" if pickup else ""
    more += f", then {len(others)} other time signature{'s' if len(others) > 1 else ''}" if others else ""
    tempo = 60 * float(meter.quarters(end)) / (end - begin) if end > begin else 60 / meter.tempos[0].quarter
    last = round(float(meter.quarters(notes.onset.max())) * LATTICE)  # in a bar that begins there, too
    count = sum(not bar.is_pickup for bar in lay_out_bars(meter, last + 1))
    return f"{max(count, 1):,} in {first.beats}/{first.unit}{more}; {tempo:.0f} quarter notes a minute on average"


def _as_typed(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request with what is wished for from second to second as one types it: 34@0,72@15."""
    from ..generation.wishes import read_wishes
    from ..model.conditions import MEASURED

    typed = dict(request)
    for name in MEASURED:
        if isinstance(request.get(name), list):
            with suppress(RequestError):  # a stranger's file may say anything
                steps = read_wishes(**{name: request[name]})[name]
                typed[name] = ",".join(f"{wish if name == 'key' else f'{wish:g}'}@{second:g}" for second, wish in steps)
    return typed


def _piece_facts(piece: PieceSummary) -> dict[str, str]:
    from ..render.roll import format_time, pitch_name

    low, high, mean = (pitch_name(pitch) for pitch in (piece.lowest, piece.highest, round(piece.mean_pitch)))
    return {
        "notes": f"{piece.note_count:,}",
        "length": f"{format_time(piece.seconds)} ({piece.seconds:.2f} s); the first note at {piece.first_onset:.2f} s",
        "pitches": f"{low} to {high}, {mean} on average",
        "velocities": f"{piece.softest} to {piece.loudest}, {piece.mean_velocity:.1f} on average",
        "keys held": f"{piece.median_duration:.3f} s (median), {piece.longest:.2f} s at most",
        "pedal": f"pressed {piece.pedal_count:,} times, down {piece.pedal_share:.0%} of the time",
        "together": f"{piece.mean_keys:.1f} keys on average, {piece.most_keys} at most; "
        f"with what the pedal holds {piece.mean_sounding:.1f} and {piece.most_sounding}",
        "pace": f"{piece.note_count / piece.seconds:.2f} notes a second, "
        f"{1000 * piece.median_step:.0f} ms from one onset to the next (median)",
    }


def _pitches(low: int, high: int) -> str:
    from ..render.roll import pitch_name

    return f"{pitch_name(low)} to {pitch_name(high)}"


def _times(low: float, high: float) -> str:
    return (
        "4 s and more" if high == float("inf") else f"{_time(low)} to {_time(high)}" if low else f"below {_time(high)}"
    )


def _time(seconds: float) -> str:
    return f"{seconds:g} s" if seconds >= 1 else f"{1000 * seconds:g} ms"


def _draw(roll: Path, notes: Notes, title: str, request: Mapping[str, Any]) -> None:
    from ..render.roll import write_roll

    prompted = request.get("prompt_notes")
    is_prompted = isinstance(prompted, int) and 0 < prompted < len(notes)
    write_roll(roll, notes, title=title, prompt_seconds=float(notes.onset[prompted]) if is_prompted else 0.0)


# A corpus


def _show_corpus(path: Path) -> None:
    store = open_store(path)
    lines = read_manifest(path)
    kept = [line for line in lines if line["state"] == "kept"]
    reasons = Counter(reason_kind(line["reason"]) for line in lines if line["state"] != "kept")
    print(escape_name(path))
    print(facts(_corpus_facts(kept, len(lines)) | {"fingerprint": store.fingerprint}))
    if reasons:
        print("\n" + table(("rejected because", "files"), [(why, f"{n:,}") for why, n in reasons.most_common()]))
    for field in ("split", "source", "corpus", "licence"):
        _print_tally(field, tally(kept, field))
    _print_tally("composer", tally(kept, "composer"), MOST_COMPOSERS)
    _print_tally("largest works", tally(kept, "work"), MOST_WORKS)


def _corpus_facts(kept: Sequence[Mapping[str, Any]], file_count: int) -> dict[str, str]:
    whole = tally(kept, "state").get("kept", Tally())
    return {
        "kept": f"{len(kept):,} of {file_count:,} files",
        "works": f"{len(tally(kept, 'work')):,}",
        "notes": f"{whole.notes:,}",
        "hours": f"{whole.seconds / 3600:.2f}",
    }


def _print_tally(heading: str, found: Mapping[str, Tally], most: int = 100) -> None:
    rows = [
        (name or "(unknown)", f"{one.pieces:,}", f"{one.notes:,}", f"{one.seconds / 3600:.2f}")
        for name, one in list(found.items())[:most]
    ]
    if len(found) > most:
        rows.append((f"... and {len(found) - most:,} more", "", "", ""))
    print("\n" + table((heading, "pieces", "notes", "hours"), rows))


# A model


def _show_bundle(path: Path) -> None:
    from ..model.bundle import load_bundle

    bundle = load_bundle(path)
    print(escape_name(f"{bundle.name} ({bundle.path})"))
    print(facts(_bundle_facts(bundle)))
    files = [file for file in bundle.path.rglob("*") if file.is_file()]
    sizes = sorted((file.stat().st_size, str(file.relative_to(bundle.path))) for file in files)
    rows = [(name, _megabytes(size)) for size, name in reversed(sizes)]
    print("\n" + table(("file", "MB"), [*rows, ("together", _megabytes(sum(size for size, _ in sizes)))]))
    print("\ncard")
    print(outline(_shown_card(bundle.card)))


def _shown_card(card: Mapping[str, Any]) -> dict[str, Any]:
    """Return a card with its limits as a text, and with each of many composers on one line."""
    shown: dict[str, Any] = {}
    for name, value in card.items():
        if name == "limits" and isinstance(value, list):
            shown[name] = " ".join(map(str, value))
        elif not isinstance(value, Mapping):
            shown[name] = value
        elif len(value) > MOST_NESTED and all(isinstance(figures, Mapping) for figures in value.values()):
            shown[name] = {
                of: ", ".join(f"{key} {figure}" for key, figure in each.items()) for of, each in value.items()
            }
        else:
            shown[name] = _shown_card(value)
    return shown


def _bundle_facts(bundle: Bundle) -> dict[str, str]:
    from ..codecs.codec import fingerprint

    model, codec = bundle.model, bundle.codec
    shape = f"{model.layers} layers of width {model.width}"
    if model.kind == "transformer":
        shape += f", {model.heads} heads ({model.kv_heads} for keys and values), {model.positions} positions"
    fields = zip(codec.field_names, codec.field_sizes, strict=True)
    known = ", ".join(model.composers) or "none"
    return {
        "model": f"{model.network or model.kind}, {shape}",
        "window": f"{model.context:,} rows" if model.kind == "transformer" else "none: it carries a state",
        "weights": bundle.precision,
        "codec": f"{codec.name}: " + ", ".join(f"{name} {size}" for name, size in fields),
        "composers": known,
        "sources": ", ".join(model.sources) or "none",
        "fingerprint": f"{bundle.fingerprint} (codec {fingerprint(codec)})",
    }


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.2f}"

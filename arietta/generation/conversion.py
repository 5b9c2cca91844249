"""Music from whatever holds it, moved to a key where that is asked for, and for the libraries that others work with.

    as_notes("theme.mid"), as_notes(take), as_notes(pretty_midi.PrettyMIDI("theme.mid"))
    convert(take.notes, "music21")

Objects of other libraries go through the bytes of a MIDI file, which all of them read and write: times keep half a
millisecond, and what MIDI cannot say is not carried over. A music21 score is built note by note: music21's reader of
MIDI puts notes on a grid and ties them into chords, which its writer then strikes more than once.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from ..errors import RequestError, quote, require
from ..model.conditions import CLEAR, KEYS
from ..music.heading import UNKNOWN
from ..music.keys import find_key
from ..music.meter import Meter
from ..music.midi import midi_bytes, read_meter, read_midi
from ..music.notes import Notes, transpose
from ..music.reading import ReadPiece, read_piece, read_piece_bytes
from .wishes import read_wishes


def as_notes(source: Any) -> Notes:
    """Return the notes of a piece: Notes, a take, another library's object, or MIDI or MusicXML.

    The latter is given by its path, as bytes, or as a file that was opened to read bytes.

    Raises RequestError for anything else, MidiError or ScoreError where a file cannot be read.
    """
    return as_piece(source).notes


def as_piece(source: Any) -> ReadPiece:
    """Return the notes of a piece, as `as_notes` does, with the metre and heading that a file has, or a take."""
    if isinstance(source, ReadPiece):
        return source
    if isinstance(source, str | Path):
        return read_piece(source)
    if isinstance(source, bytes | bytearray | memoryview):
        return read_piece_bytes(bytes(source))
    notes = source if isinstance(source, Notes) else getattr(source, "notes", None)
    if isinstance(notes, Notes):
        meter = getattr(source, "meter", None)
        heading = getattr(getattr(source, "request", None), "heading", UNKNOWN)
        return ReadPiece(notes, meter if isinstance(meter, Meter) else None, (), heading)
    library = type(source).__module__.partition(".")[0]
    if library not in _TO_MIDI and callable(getattr(source, "read", None)):
        return read_piece_bytes(_read_all(source))
    if library not in _TO_MIDI:
        raise RequestError(
            "music is Notes, a take, the path, the bytes or the open file of MIDI or MusicXML, or an object of "
            f"{', '.join(_TO_MIDI)}, not {quote(source)}"
        )
    name = f"the object of {library}"
    try:
        data = _TO_MIDI[library](source)
    except (AttributeError, TypeError) as error:
        kind = f"{library}.{type(source).__name__}"
        raise RequestError(f"{kind} is no whole piece: give one, such as {_WHOLE[library]}") from error
    return ReadPiece(read_midi(data, name=name), read_meter(data, name=name), ())


def transpose_to_key(music: Any, key: Any) -> tuple[Notes, int]:
    """Return music in `key`, moved by the smallest interval on the 88 keys that takes it there, and the semitones.

    Raises RequestError without music or key, where the music has no clear key or one of the other mode, and where it
    would leave the 88 keys.
    """
    if music is None:
        raise RequestError("to transpose is to move given music: give a prompt, or a piece to work on")
    if key is None:
        raise RequestError('to transpose is to move given music into a key: say which, such as "D minor"')
    notes, ((_, wished), *others) = as_notes(music), read_wishes(key=key)["key"]
    if others:
        raise RequestError("music is moved to one key: not to several over time")
    is_minor, tonic = divmod(KEYS.index(str(wished)), 12)
    found = find_key(notes.pitch, notes.duration)
    if found is None or found.clarity <= CLEAR:
        raise RequestError(f"the music has no clear key, so it cannot be moved to {wished}")
    if found.is_minor != bool(is_minor):
        raise RequestError(f"the music is in {found.name}: moving it gives no {wished}, only another of its mode")
    up = (tonic - found.tonic) % 12
    for semitones in sorted((up, up - 12), key=abs):
        with contextlib.suppress(ValueError):
            return transpose(notes, semitones), semitones
    raise RequestError(f"the music, in {found.name}, has no room on the 88 keys to be moved to {wished}")


def take_in(music: Any, key: Any = None, *, transpose: bool = False) -> tuple[Notes | None, Meter | None, int | None]:
    """Return the notes of given music, its metre, and by how many semitones it was moved into `key`; None for none.

    The metre is no longer exact: what is played into its bars does not lie where it would be written. Moved music is no
    longer in the keys that its metre names. Raises RequestError as `transpose_to_key` does.
    """
    require(transpose, bool, "transpose is True or False")
    notes, meter = (None, None) if music is None else as_piece(music)[:2]
    meter = meter and replace(meter, is_exact=False)
    if not transpose:
        return notes, meter, None
    notes, semitones = transpose_to_key(notes, key)
    return notes, replace(meter, keys=()) if meter and semitones else meter, semitones


def convert(notes: Notes, library: str) -> Any:
    """Return notes as another library has them: mido, music21, partitura, pretty_midi or symusic.

    They are a mido.MidiFile, a music21 Score, a partitura Performance, a PrettyMIDI and a symusic Score. Of music21's
    the pedal is left out; `score.quantize((4, 3), recurse=True)` lays its notes on a grid, which its notation needs.
    Raises RequestError where the library is unknown or not installed.
    """
    require(notes, Notes, "what is converted is Notes, as read_midi and a take's .notes are")
    claim = f"notes can be converted to {', '.join(_MAKERS)}"
    require(library, str, claim)
    if library not in _MAKERS:
        raise RequestError(f"{claim}, not {quote(library)}")
    try:
        module = import_module(library)
    except ImportError as error:
        raise RequestError(f"{library} is not installed: pip install {library}") from error
    return _MAKERS[library](module, notes)


def _read_all(file: Any) -> bytes:
    try:
        data = file.read()
    except (OSError, ValueError):  # it was opened to be written, or is closed
        data = None
    if not isinstance(data, bytes):
        raise RequestError(
            f'a file with music is opened to read bytes, as in open("theme.mid", "rb"), not {quote(file)}'
        )
    return data


def _through_stream(write: Callable[[io.BytesIO], object]) -> bytes:
    stream = io.BytesIO()
    write(stream)
    return stream.getvalue()


def _through_file(write: Callable[[str], object]) -> bytes:
    from ..render.formats import saved_bytes

    return saved_bytes(lambda path: write(str(path)), "mid")


def _partitura_bytes(source: Any) -> bytes:
    # Scores have beats and performances seconds; which of the two it is, the name of the class says.
    kind = "performance" if "Perform" in type(source).__name__ else "score"
    save = getattr(import_module("partitura"), f"save_{kind}_midi")
    return _through_file(lambda path: save(source, path))


def _music21_score(module: Any, notes: Notes) -> Any:
    """Build a Score of one part, each note at its own time."""
    part = module.stream.Part([module.tempo.MetronomeMark(number=60 * _QUARTERS)])
    for onset, duration, pitch, velocity in notes:
        sounding = module.note.Note(pitch, quarterLength=duration * _QUARTERS)
        sounding.volume.velocity = velocity
        part.insert(onset * _QUARTERS, sounding)
    return module.stream.Score([part])


_QUARTERS = 2.0  # a second, at 120 quarters a minute, as in a MIDI file without a tempo
# Library -> how its objects become the bytes of a MIDI file, and how its module makes one of them.
_TO_MIDI: Mapping[str, Callable[[Any], bytes]] = {
    "mido": lambda source: _through_stream(lambda stream: source.save(file=stream)),
    "music21": lambda source: _through_file(lambda path: source.write("midi", fp=path)),
    "partitura": _partitura_bytes,
    "pretty_midi": lambda source: _through_stream(source.write),
    "symusic": lambda source: bytes(source.dumps_midi()),
}
_WHOLE = {
    "mido": "a MidiFile",
    "music21": "a Score or Part",
    "partitura": "a Performance or Score",
    "pretty_midi": "a PrettyMIDI",
    "symusic": "a Score",
}
_MAKERS: Mapping[str, Callable[[Any, Notes], Any]] = {
    "mido": lambda module, notes: module.MidiFile(file=io.BytesIO(midi_bytes(notes))),
    "music21": _music21_score,
    "partitura": lambda module, notes: module.load_performance_midi(
        import_module("mido").MidiFile(file=io.BytesIO(midi_bytes(notes)))
    ),
    "pretty_midi": lambda module, notes: module.PrettyMIDI(io.BytesIO(midi_bytes(notes))),
    "symusic": lambda module, notes: module.Score.from_midi(midi_bytes(notes)),
}

"""Music from whatever holds it, and for the libraries that others work with, where these are installed.

    as_notes("theme.mid"), as_notes(take), as_notes(pretty_midi.PrettyMIDI("theme.mid"))
    convert(take.notes, "music21")

Objects of other libraries go through the bytes of a MIDI file, which all of them read and write: times keep half a
millisecond, and what MIDI cannot say is not carried over.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from ..errors import RequestError, quote, require
from ..music.meter import Meter
from ..music.midi import midi_bytes, read_midi
from ..music.notes import Notes
from ..music.reading import read_piece


def as_notes(source: Any) -> Notes:
    """Return the notes of a piece: Notes, a take, a path of MIDI or MusicXML, MIDI bytes, another library's object.

    Raises RequestError for anything else, MidiError or ScoreError where a file cannot be read.
    """
    if isinstance(source, Notes):
        return source
    if isinstance(source, str | Path):
        return read_piece(source).notes
    if isinstance(source, bytes):
        return read_midi(source)
    if isinstance(notes := getattr(source, "notes", None), Notes):
        return notes
    library = type(source).__module__.partition(".")[0]
    if library not in _TO_MIDI:
        raise RequestError(
            "music is Notes, a take, the path of a MIDI file, or an object of "
            f"{', '.join(_TO_MIDI)}, not {quote(source)}"
        )
    return read_midi(_TO_MIDI[library](source), name=f"the object of {library}")


def find_given_meter(source: Any) -> Meter | None:
    """Return the metre of the file that a path names; None where it has none, and for anything but a path."""
    return read_piece(source).meter if isinstance(source, str | Path) else None


def convert(notes: Notes, library: str) -> Any:
    """Return notes as another library has them: mido, music21, partitura, pretty_midi or symusic.

    They are a mido.MidiFile, a music21 Score, a partitura Performance, a PrettyMIDI and a symusic Score. Raises
    RequestError where the library is unknown or not installed.
    """
    require(notes, Notes, "what is converted is Notes, as read_midi and a take's .notes are")
    claim = f"notes can be converted to {', '.join(_FROM_MIDI)}"
    require(library, str, claim)
    if library not in _FROM_MIDI:
        raise RequestError(f"{claim}, not {quote(library)}")
    try:
        module = import_module(library)
    except ImportError as error:
        raise RequestError(f"{library} is not installed: pip install {library}") from error
    return _FROM_MIDI[library](module, midi_bytes(notes))


def _through_stream(write: Callable[[io.BytesIO], object]) -> bytes:
    stream = io.BytesIO()
    write(stream)
    return stream.getvalue()


def _through_file(write: Callable[[str], object]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "piece.mid"
        write(str(path))
        return path.read_bytes()


def _partitura_bytes(source: Any) -> bytes:
    # Scores have beats and performances seconds; which of the two it is, the name of the class says.
    kind = "performance" if "Perform" in type(source).__name__ else "score"
    save = getattr(import_module("partitura"), f"save_{kind}_midi")
    return _through_file(lambda path: save(source, path))


# Library -> how its objects become the bytes of a MIDI file, and how its module makes one of them.
_TO_MIDI: Mapping[str, Callable[[Any], bytes]] = {
    "mido": lambda source: _through_stream(lambda stream: source.save(file=stream)),
    "music21": lambda source: _through_file(lambda path: source.write("midi", fp=path)),
    "partitura": _partitura_bytes,
    "pretty_midi": lambda source: _through_stream(source.write),
    "symusic": lambda source: bytes(source.dumps_midi()),
}
_FROM_MIDI: Mapping[str, Callable[[Any, bytes], Any]] = {
    "mido": lambda module, data: module.MidiFile(file=io.BytesIO(data)),
    "music21": lambda module, data: import_module("music21.converter").parseData(data, format="midi"),
    "partitura": lambda module, data: module.load_performance_midi(
        import_module("mido").MidiFile(file=io.BytesIO(data))
    ),
    "pretty_midi": lambda module, data: module.PrettyMIDI(io.BytesIO(data)),
    "symusic": lambda module, data: module.Score.from_midi(data),
}

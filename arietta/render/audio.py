"""Sound files of a piece: WAV (44.1 kHz, 16 bits, stereo) and OGG (Vorbis), played by the sampled piano of `piano`.

    write_audio("piece.ogg", notes)

The same notes give the same WAV, byte for byte; an OGG stream carries a serial number that libsndfile draws anew.
A piece is rendered and written block by block, so an hour takes no more memory than a minute (`audio_bytes` holds
the file itself besides).
"""

from __future__ import annotations

import io
import wave
from collections.abc import Callable
from pathlib import Path
from typing import IO, Literal

import numpy as np

from ..errors import RequestError
from ..files import atomic_file, write_errors_as
from ..music.notes import Notes
from .piano import SAMPLE_RATE, Sound, frame_count, import_soundfile, sound_blocks

AudioKind = Literal["wav", "ogg"]
Progress = Callable[[float, float], None]  # seconds rendered, seconds in all

LONGEST_WAV = (2**32 - 256) // (4 * SAMPLE_RATE)  # seconds: a WAV counts its bytes in 32 bits


def audio_bytes(notes: Notes, kind: AudioKind, *, progress: Progress | None = None) -> bytes:
    """Render a piece as the bytes of a sound file; raises RequestError as `write_audio` does."""
    if kind not in ("wav", "ogg"):
        raise RequestError(f"{kind!r} is no kind of sound file; there are wav, ogg")
    stream = io.BytesIO()
    _write(stream, kind, notes, progress)
    return stream.getvalue()


def write_audio(path: str | Path, notes: Notes, *, progress: Progress | None = None) -> None:
    """Write a sound file atomically, as the ending of `path` says.

    Raises RequestError unless that is .wav or .ogg, where the piece is too long for a WAV, where the file cannot be
    written, and where the package that reads the samples is missing.
    """
    path = Path(path)
    if path.suffix.lower() not in (".wav", ".ogg"):
        raise RequestError(f"{path}: a sound file ends in .wav or .ogg")
    with write_errors_as(RequestError, path), atomic_file(path) as file:
        _write(file, path.suffix.lower()[1:], notes, progress)


def _write(stream: IO[bytes], kind: str, notes: Notes, progress: Progress | None) -> None:
    """Write a sound file to a stream, block by block."""
    total = frame_count(notes)

    def play(write: Callable[[Sound], object]) -> None:
        done = 0
        for block in sound_blocks(notes):
            write(block)
            done += len(block)
            if progress:
                progress(done / SAMPLE_RATE, total / SAMPLE_RATE)

    if kind == "ogg":
        options = {"samplerate": SAMPLE_RATE, "channels": 2, "format": "OGG", "subtype": "VORBIS"}
        with import_soundfile().SoundFile(stream, "w", **options) as file:
            play(file.write)
        return
    if notes.seconds > LONGEST_WAV - 60:  # the last tone may ring on for as long
        raise RequestError(f"the piece lasts {notes.seconds / 3600:.1f} hours; a WAV file holds {LONGEST_WAV // 3600}")
    with wave.open(stream, "wb") as wav:
        wav.setnchannels(2)
        wav.setsampwidth(2)
        wav.setframerate(SAMPLE_RATE)
        wav.setnframes(total)  # known before, so the header need not be written again at the end
        play(lambda block: wav.writeframesraw(np.rint(block * 32_767).astype("<i2").tobytes()))

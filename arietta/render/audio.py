"""Sound files of a piece: WAV (44.1 kHz, 16 bits, stereo) and OGG (Vorbis), played by the sampled piano of `sampler`.

    write_audio("piece.ogg", notes)

The same notes give the same WAV, byte for byte; an OGG stream carries a serial number that libsndfile draws anew.
A piece is rendered and written block by block, so an hour takes no more memory than a minute (`audio_bytes` holds
the file itself besides). What piano.json holds is told in `sampler`.
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
    stream = io.BytesIO()
    _writer(kind)(stream, notes, progress)
    return stream.getvalue()


def write_audio(path: str | Path, notes: Notes, *, progress: Progress | None = None) -> None:
    """Write a sound file, whole or not at all, as the ending of `path` says.

    Raises RequestError unless that is .wav or .ogg, where the piece is too long for a WAV, where the file cannot be
    written, and where the package that reads the samples is missing.
    """
    path = Path(path)
    if path.suffix.lower() not in (".wav", ".ogg"):
        raise RequestError(f"{path}: a sound file ends in .wav or .ogg")
    with write_errors_as(RequestError, path), atomic_file(path) as file:
        _writer(path.suffix.lower()[1:])(file, notes, progress)


def _writer(kind: str) -> Callable[[IO[bytes], Notes, Progress | None], None]:
    writers = {"wav": _write_wav, "ogg": _write_ogg}
    if kind not in writers:
        raise RequestError(f"{kind!r} is no kind of sound file; there are {', '.join(writers)}")
    return writers[kind]


def _write_wav(stream: IO[bytes], notes: Notes, progress: Progress | None) -> None:
    if notes.seconds > LONGEST_WAV - 60:
        raise RequestError(f"the piece lasts {notes.seconds / 3600:.1f} hours; a WAV file holds {LONGEST_WAV // 3600}")
    with wave.open(stream, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.setnframes(frame_count(notes))
        _play(notes, lambda block: file.writeframesraw(np.rint(block * 32_767).astype("<i2").tobytes()), progress)


def _write_ogg(stream: IO[bytes], notes: Notes, progress: Progress | None) -> None:
    options = {"samplerate": SAMPLE_RATE, "channels": 2, "format": "OGG", "subtype": "VORBIS"}
    with import_soundfile().SoundFile(stream, "w", **options) as file:
        _play(notes, file.write, progress)


def _play(notes: Notes, write: Callable[[Sound], object], progress: Progress | None) -> None:
    done, whole = 0, frame_count(notes)
    for block in sound_blocks(notes):
        write(block)
        done += len(block)
        if progress:
            progress(done / SAMPLE_RATE, whole / SAMPLE_RATE)

"""Sound files of a piece, WAV, OGG, FLAC or MP3 (44.1 kHz, stereo), played by the sampled piano of `piano`.

    write_audio("piece.ogg", notes)

The same notes give the same WAV, byte for byte; an OGG stream carries a serial number that libsndfile draws anew.
Every piece is as loud as the next, -18 LUFS, or less where a peak would pass -1 dBFS (`loudness`). It is rendered block
by block and held in a temporary file until it is measured; a very long one is rendered twice. So an hour takes no more
memory than two minutes; `audio_parts` gives the blocks as they come, `audio_bytes` holds the file.
"""

from __future__ import annotations

import io
import tempfile
import wave
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal

import numpy as np

from ..errors import RequestError
from ..files import atomic_file, write_errors_as
from ..music.notes import Notes
from .loudness import GainMeter
from .piano import BLOCK, SAMPLE_RATE, Sound, frame_count, import_soundfile, sound_blocks

AudioKind = Literal["wav", "ogg", "flac", "mp3"]
Progress = Callable[[float, float], None]  # seconds rendered, seconds in all

# How libsndfile calls what it writes; WAV is written here, so that its bytes depend on no library.
ENCODED = {"ogg": ("OGG", "VORBIS"), "flac": ("FLAC", "PCM_16"), "mp3": ("MP3", "MPEG_LAYER_III")}
AUDIO_KINDS = ("wav", *ENCODED)
MOST_HELD = 1200 * SAMPLE_RATE  # frames: what lasts no longer is rendered once, and takes up to 423 MB of the disk
FRAME_BYTES = 8  # two channels of float32
LONGEST_WAV = (2**32 - 256) // (4 * SAMPLE_RATE)  # seconds: a WAV counts its bytes in 32 bits


def audio_bytes(notes: Notes, kind: AudioKind, *, progress: Progress | None = None) -> bytes:
    """Render a piece as the bytes of a sound file; raises RequestError as `write_audio` does."""
    return b"".join(audio_parts(notes, kind, progress=progress))


def audio_parts(
    notes: Notes, kind: AudioKind, *, block: int = BLOCK, progress: Progress | None = None
) -> Iterator[bytes]:
    """Render a piece as a sound file in parts, of `block` frames each, so that an hour takes the memory of a block.

    A part may be empty: the piece is measured first, and encoders gather short blocks. Raises RequestError as
    `write_audio` does, before the first part.
    """
    if kind not in AUDIO_KINDS:
        raise RequestError(f"{kind!r} is no kind of sound file; there are {', '.join(AUDIO_KINDS)}")
    return _parts(notes, kind, block, progress)


def _parts(notes: Notes, kind: str, block: int, progress: Progress | None) -> Iterator[bytes]:
    if kind in ("flac", "mp3"):  # their headers are written last
        file = io.BytesIO()
        for _ in _render(file, kind, notes, block, progress):
            yield b""
        yield file.getvalue()
        return
    stream = _Parts()
    for _ in _render(stream, kind, notes, block, progress):
        yield stream.taken()
    yield stream.taken()  # what is written when the file is closed


def write_audio(path: str | Path, notes: Notes, *, progress: Progress | None = None) -> None:
    """Write a sound file atomically, as the ending of `path` says.

    Raises RequestError for an ending that is none of AUDIO_KINDS, where the piece is too long for a WAV, where the file
    cannot be written, and where the package that reads the samples is missing.
    """
    path = Path(path)
    if path.suffix.lower()[1:] not in AUDIO_KINDS:
        raise RequestError(f"{path}: a sound file ends in {', '.join('.' + kind for kind in AUDIO_KINDS)}")
    with write_errors_as(RequestError, path), atomic_file(path) as file:
        # In parts: an error of a file that libsndfile itself writes to would be printed, and passed over.
        for part in _parts(notes, path.suffix.lower()[1:], BLOCK, progress):
            file.write(part)


class _Parts(io.BytesIO):
    """A stream that is written once, from the beginning to the end, and whose content is taken away meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self._taken = 0  # bytes

    def taken(self) -> bytes:
        """Return what was written since the last call."""
        content = self.getvalue()
        self._taken += len(content)
        super().seek(0)
        self.truncate()
        return content

    def tell(self) -> int:
        """Count the bytes written, those taken too."""
        return self._taken + super().tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Stay at the end, where libsndfile goes to see how long the file is."""
        return self.tell()


def _render(stream: IO[bytes], kind: str, notes: Notes, block: int, progress: Progress | None) -> Iterator[None]:
    """Write a sound file to a stream, block by block, pausing after each."""
    if kind == "wav" and notes.seconds > LONGEST_WAV - 60:  # the last tone may ring on for as long
        raise RequestError(f"the piece lasts {notes.seconds / 3600:.1f} hours; a WAV file holds {LONGEST_WAV // 3600}")
    total, done = frame_count(notes), 0

    def counted(sounds: Iterable[Sound]) -> Iterator[Sound]:
        nonlocal done
        for sound in sounds:
            done += len(sound)
            if progress:
                progress(done / 2 / SAMPLE_RATE, total / SAMPLE_RATE)
            yield sound

    meter, is_held = GainMeter(), total <= MOST_HELD
    with tempfile.TemporaryFile() as held:
        for sound in counted(sound_blocks(notes, block=BLOCK)):
            meter.add(sound)
            if is_held:
                try:
                    held.write(sound.tobytes())
                except OSError:  # no room on the disk: then rendered again
                    is_held = False
            yield
        gain = np.float32(meter.gain())
        held.seek(0)
        sounds = _read_blocks(held, block) if is_held else sound_blocks(notes, block=block)
        with _open_sound(stream, kind, total) as write:
            for sound in counted(sounds):
                write(sound * gain)
                yield


def _read_blocks(file: IO[bytes], block: int) -> Iterator[Sound]:
    """Read sound float32 [F, 2] back, so many frames at a time."""
    while content := file.read(block * FRAME_BYTES):
        yield np.frombuffer(content, dtype=np.float32).reshape(-1, 2)


@contextmanager
def _open_sound(stream: IO[bytes], kind: str, total: int) -> Iterator[Callable[[Sound], object]]:
    """Open a sound file of so many frames; give the function that appends to it."""
    if kind in ENCODED:
        container, subtype = ENCODED[kind]
        options = {"samplerate": SAMPLE_RATE, "channels": 2, "format": container, "subtype": subtype}
        with import_soundfile().SoundFile(stream, "w", **options) as file:
            yield file.write
        return
    with wave.open(stream, "wb") as wav:
        wav.setnchannels(2)
        wav.setsampwidth(2)
        wav.setframerate(SAMPLE_RATE)
        wav.setnframes(total)  # known before, so the header need not be written again at the end
        yield lambda sound: wav.writeframesraw(np.rint(sound * 32_767).astype("<i2").tobytes())

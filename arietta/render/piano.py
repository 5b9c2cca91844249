"""A sampled piano: notes, with their loudness and pedal, to stereo sound, a block at a time.

The samples stand in `sounds/piano`, which the studio plays from too. Its `piano.json` says how to play them:

    sample_rate            of every file, in Hz; `loop` and `frames` count its frames
    velocity_exponent      gain = (velocity / 127) ** exponent: 2 is SoundFont's own curve (SF2.01, 8.4.1)
    brightness             softer is duller: a low-pass at hertz, `octaves` lower for the softest (SF2.01, 8.4.2)
    attack                 seconds in which a tone rises to its full gain
    releases               by velocity: seconds in which a damped tone would fall by 100 dB, straight in dB
    zones                  which file sounds for which keys (MIDI pitches, both ends included) and velocities:
      root, cents          the pitch that is heard when the file is played as it is, and what it is out of tune by
      file, frames, loop   a file beside piano.json; frames [from, to) of it repeat for as long as the tone lasts
      hold, decay          seconds at full gain, then seconds in which it would fall by 100 dB, straight in dB
      attenuation          dB that the zone is softer by

A key let go under the pedal rings until the pedal is up; a key struck again ends its own earlier tone. No resonance
of other strings, no half pedal, no room.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import RequestError
from ..music.notes import Notes, fold_pedal, next_strike

SAMPLE_RATE = 44_100  # frames a second of what is rendered
BLOCK = 10 * SAMPLE_RATE  # frames rendered at once: 7 MB of work, whatever the piece's length
RESTRIKE = 0.1  # seconds in which a tone would fall by 100 dB where its key is struck again
INAUDIBLE = 0.9  # of 100 dB: a tone ends there
GAIN = 0.5  # of 16 performances of MAESTRO the median peaks at 0.8 of full scale, the loudest at 1.05 before the knee
KNEE = 0.8  # above this share of full scale peaks are bent, so that none is cut
WIDTH = 0.35  # how far apart the outermost keys stand: 0 is one point, 1 the two loudspeakers
_FINE = 2  # samples are kept at so many times their own rate: straight lines between them are then true enough
_TAIL = 4096  # frames of silence and of loop around a sample while it is filtered

Sound = NDArray[np.float32]


@dataclass(frozen=True)
class _Zone:
    """One file of piano.json, see there; `root` in pitches, cents taken in, `gain` for its attenuation."""

    file: str
    keys: tuple[int, int]
    velocities: tuple[int, int]
    root: float
    loop: tuple[int, int]
    hold: float
    decay: float
    gain: float


@dataclass(frozen=True)
class _Instrument:
    """What piano.json says; `release` float64 [128], s by velocity; `zone` int64 [128, 128] by pitch, velocity."""

    sample_rate: int
    exponent: float
    hertz: float
    octaves: float
    attack: float
    release: NDArray[np.float64]
    zone: NDArray[np.int64]
    zones: tuple[_Zone, ...]


@dataclass(frozen=True)
class _Voices:
    """Every note as a tone, columns [N]: frames from the piece's start, `release` from the strike.

    `step` is frames of the finer sample a frame, `dull` the share of the dull sample, `fade` dB a frame once released.
    """

    zone: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    release: NDArray[np.int64]
    fade: NDArray[np.float64]
    step: NDArray[np.float64]
    dull: NDArray[np.float64]
    gains: NDArray[np.float64]  # [N, 2] left and right


def frame_count(notes: Notes) -> int:
    """Count the frames that the piece lasts, with the ringing of its last tone; half a second at least."""
    return max(int(_voices(notes).end.max(initial=0)), SAMPLE_RATE // 2)


def sound_blocks(notes: Notes, *, block: int = BLOCK) -> Iterator[Sound]:
    """Render the piece in blocks float32 [F, 2] in (-1, 1); the sound is the same for every size of block.

    Raises RequestError where the reader of the samples is not installed.
    """
    voices, whole = _voices(notes), frame_count(notes)
    for begin in range(0, whole, block):
        yield _limit(_mix(voices, begin, min(begin + block, whole)))


def _voices(notes: Notes) -> _Voices:
    piano, sounding = _instrument(), fold_pedal(notes)
    pitch, velocity = notes.pitch.astype(np.int64), notes.velocity.astype(np.int64)
    zone = piano.zone[pitch, velocity]
    columns = [(one.root, one.hold, one.decay, one.gain) for one in piano.zones]
    root, hold, decay, level = np.array(columns)[zone].T
    fall = np.where(sounding.release >= next_strike(notes), RESTRIKE, piano.release[velocity])
    heard = np.minimum(hold + INAUDIBLE * decay, sounding.duration + INAUDIBLE * fall)
    start = np.rint(notes.onset * SAMPLE_RATE).astype(np.int64)
    side = (np.pi / 4) * (1 + WIDTH * np.clip((pitch - 64.5) / 43.5, -1, 1))  # constant power, bass on the left
    loudness = GAIN * level * (velocity / 127) ** piano.exponent
    return _Voices(
        zone=zone,
        start=start,
        end=start + np.ceil(heard * SAMPLE_RATE).astype(np.int64),
        release=np.rint(sounding.duration * SAMPLE_RATE).astype(np.int64),
        fade=100 / (fall * SAMPLE_RATE),
        step=2 ** ((pitch - root) / 12) * (_FINE * piano.sample_rate / SAMPLE_RATE),
        dull=1 - velocity / 127,
        gains=loudness[:, None] * np.stack([np.cos(side), np.sin(side)], axis=1) * np.sqrt(2),
    )


def _mix(voices: _Voices, begin: int, end: int) -> NDArray[np.float32]:
    """Add up all tones between two frames, float32 [2, F]."""
    block = np.zeros((2, end - begin), dtype=np.float32)
    for voice in np.flatnonzero((voices.start < end) & (voices.end > begin)).tolist():
        start = int(voices.start[voice])
        first, last = max(begin, start), min(end, int(voices.end[voice]))
        tone = _tone(voices, voice, first - start, last - start)
        for channel, gain in enumerate(voices.gains[voice].tolist()):
            block[channel, first - begin : last - begin] += np.float32(gain) * tone
    return block


def _tone(voices: _Voices, voice: int, first: int, last: int) -> Sound:
    """One tone between two frames counted from its strike, before its gain."""
    zone = int(voices.zone[voice])
    bright, dull, loop_start = _sample(zone)
    loop_end = len(bright) - 1
    place = np.arange(first, last) * float(voices.step[voice])
    if place[-1] >= loop_end:
        place = np.where(place < loop_end, place, loop_start + (place - loop_start) % (loop_end - loop_start))
    index = place.astype(np.int64)
    low = int(index.min())
    share = np.float32(voices.dull[voice])
    reach = slice(low, int(index.max()) + 2)
    source = bright[reach] + share * (dull[reach] - bright[reach])
    index -= low
    before = source[index]
    tone = before + (place - (index + low)).astype(np.float32) * (source[index + 1] - before)
    return np.asarray(tone * _envelope(voices, voice, np.arange(first, last)), dtype=np.float32)


def _envelope(voices: _Voices, voice: int, frame: NDArray[np.int64]) -> Sound:
    piano = _instrument()
    zone = piano.zones[int(voices.zone[voice])]
    decay = np.maximum(frame - zone.hold * SAMPLE_RATE, 0) * (100 / (zone.decay * SAMPLE_RATE))
    release = np.maximum(frame - int(voices.release[voice]), 0) * float(voices.fade[voice])
    gain = np.exp((decay + release).astype(np.float32) * np.float32(-np.log(10) / 20))
    attack = round(piano.attack * SAMPLE_RATE)
    if frame[0] < attack:
        gain[: attack - int(frame[0])] *= (frame[frame < attack] / attack).astype(np.float32)
    return np.asarray(gain, dtype=np.float32)


def _limit(block: NDArray[np.float32]) -> Sound:
    """Bend what lies above the knee towards full scale (tanh), and turn [2, F] into [F, 2]."""
    peak = np.abs(block)
    if peak.max(initial=0.0) > KNEE:
        bent = KNEE + (1 - KNEE) * np.tanh((peak - KNEE) / (1 - KNEE))
        block = np.where(peak > KNEE, np.copysign(bent, block), block)
    return np.ascontiguousarray(block.T, dtype=np.float32)


# The instrument


@lru_cache(maxsize=1)
def _instrument() -> _Instrument:
    about = json.loads(_file("piano.json"))
    release = np.empty(128)
    zone = np.zeros((128, 128), dtype=np.int64)
    for span in about["releases"]:
        release[: span["velocities"][1] + 1][span["velocities"][0] :] = span["seconds"]
    release[0] = release[1]
    zones = tuple(map(_zone, about["zones"]))
    for number, one in enumerate(zones):
        zone[one.keys[0] : one.keys[1] + 1, one.velocities[0] : one.velocities[1] + 1] = number
    brightness = about["brightness"]
    return _Instrument(
        about["sample_rate"],
        about["velocity_exponent"],
        brightness["hertz"],
        brightness["octaves"],
        about["attack"],
        release,
        zone,
        zones,
    )


def _zone(about: dict[str, Any]) -> _Zone:
    return _Zone(
        file=about["file"],
        keys=tuple(about["keys"]),
        velocities=tuple(about["velocities"]),
        root=about["root"] + about["cents"] / 100,
        loop=tuple(about["loop"]),
        hold=about["hold"],
        decay=about["decay"],
        gain=10 ** (-about["attenuation"] / 20),
    )


@cache
def _sample(number: int) -> tuple[Sound, Sound, int]:
    """Decode a zone's sample at the finer rate: as loud playing sounds, as the softest does, and its loop's start.

    Both end at the loop's end, and one frame more that equals the loop's first. All twenty take 15 MB.
    """
    piano = _instrument()
    start, end = piano.zones[number].loop
    recorded = read_sample(piano.zones[number].file)[:end]
    lead, loop = np.zeros(_TAIL, dtype=np.float32), recorded[start:]
    unrolled = np.concatenate([lead, recorded, np.resize(loop, _TAIL)])
    size = 1 << (len(unrolled) - 1).bit_length()
    spectrum = np.fft.rfft(unrolled, size)
    hertz = np.arange(len(spectrum)) * piano.sample_rate / size
    sounds = []
    for cutoff in (piano.hertz, piano.hertz * 2.0**-piano.octaves):
        filtered = np.fft.irfft(spectrum / np.sqrt(1 + (hertz / cutoff) ** 4), _FINE * size) * _FINE
        sound = filtered[_FINE * _TAIL :][: _FINE * end + 1].astype(np.float32)
        sound[-1] = sound[_FINE * start]
        sounds.append(sound)
    return sounds[0], sounds[1], _FINE * start


def read_sample(name: str) -> Sound:
    """Decode one of the piano's files, float32 [F]; raises RequestError where its reader is not installed."""
    samples, _ = import_soundfile().read(io.BytesIO(_file(name)), dtype="float32")
    return np.asarray(samples, dtype=np.float32)


def import_soundfile() -> Any:
    """Import the reader and writer of sound files; raises RequestError with what to install where it is missing."""
    try:
        import soundfile
    except ImportError as error:
        raise RequestError("sound needs the package soundfile: pip install soundfile") from error
    except OSError as error:
        raise RequestError("sound needs libsndfile, which soundfile did not find: install libsndfile1") from error
    return soundfile


def _file(name: str) -> bytes:
    return files("arietta.render").joinpath("sounds", "piano", name).read_bytes()

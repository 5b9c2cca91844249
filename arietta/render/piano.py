"""A sampled piano: notes, with their loudness and pedal, to stereo sound, a block at a time.

The samples are in `sounds/piano`, which the studio plays from too. Its `piano.json` says how to play them:

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
from functools import cache
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
GAIN = 0.5  # of 16 performances of MAESTRO the median peaks at 0.8 of full scale, the loudest at 1.05
WIDTH = 0.35  # how far apart the outermost keys sound: 0 is one point, 1 the two loudspeakers
KEYBOARD_CENTRE, KEYBOARD_HALF = 64.5, 43.5  # pitches: the middle of the 88 keys, and from there to the outermost
OVERSAMPLING = 2  # samples are kept at so many times their own rate: straight lines between them are then true enough
PADDING = 4096  # frames of silence and of loop around a sample while it is filtered

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
class _Tones:
    """Every note as a tone, columns [N]: frames from the piece's start, `release` from the strike.

    `step` is frames of the finer sample per frame, `dullness` the share of the dull sample, `fade` dB per frame once
    released.
    """

    zone: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    release: NDArray[np.int64]
    fade: NDArray[np.float64]
    step: NDArray[np.float64]
    dullness: NDArray[np.float64]
    gains: NDArray[np.float64]  # [N, 2] left and right

    @classmethod
    def of(cls, notes: Notes) -> _Tones:
        """Find when each note sounds, how loud, how bright, and from which side."""
        piano, sounding = _instrument(), fold_pedal(notes)
        pitch, velocity = notes.pitch.astype(np.int64), notes.velocity.astype(np.int64)
        zone = piano.zone[pitch, velocity]
        columns = [(zone.root, zone.hold, zone.decay, zone.gain) for zone in piano.zones]
        root, hold, decay, level = np.array(columns)[zone].T
        fall = np.where(sounding.release >= next_strike(notes), RESTRIKE, piano.release[velocity])
        audible = np.minimum(hold + INAUDIBLE * decay, sounding.duration + INAUDIBLE * fall)
        start = np.rint(notes.onset * SAMPLE_RATE).astype(np.int64)
        # Constant power from the bass at the left to the treble at the right.
        angle = (np.pi / 4) * (1 + WIDTH * np.clip((pitch - KEYBOARD_CENTRE) / KEYBOARD_HALF, -1, 1))
        loudness = GAIN * level * (velocity / 127) ** piano.exponent
        return cls(
            zone=zone,
            start=start,
            end=start + np.ceil(audible * SAMPLE_RATE).astype(np.int64),
            release=np.rint(sounding.duration * SAMPLE_RATE).astype(np.int64),
            fade=100 / (fall * SAMPLE_RATE),
            step=2 ** ((pitch - root) / 12) * (OVERSAMPLING * piano.sample_rate / SAMPLE_RATE),
            dullness=1 - velocity / 127,
            gains=loudness[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1) * np.sqrt(2),
        )

    @property
    def frame_count(self) -> int:
        """Frames until the last tone has died away; half a second at least."""
        return max(int(self.end.max(initial=0)), SAMPLE_RATE // 2)

    def mix(self, begin: int, end: int) -> NDArray[np.float32]:
        """Add up all tones between two frames, float32 [2, F]."""
        block = np.zeros((2, end - begin), dtype=np.float32)
        for index in np.flatnonzero((self.start < end) & (self.end > begin)).tolist():
            start = int(self.start[index])
            first, last = max(begin, start), min(end, int(self.end[index]))
            tone = self.waveform(index, first - start, last - start) * self.envelope(index, first - start, last - start)
            for channel, gain in enumerate(self.gains[index].tolist()):
                block[channel, first - begin : last - begin] += np.float32(gain) * tone
        return block

    def waveform(self, index: int, first: int, last: int) -> Sound:
        """One tone between two frames counted from its strike, as recorded: at its pitch, without its envelope."""
        bright, dull, loop_start = _sample(int(self.zone[index]))
        loop_end = len(bright) - 1
        position = np.arange(first, last) * float(self.step[index])
        if position[-1] >= loop_end:
            looped = loop_start + (position - loop_start) % (loop_end - loop_start)
            position = np.where(position < loop_end, position, looped)
        before = position.astype(np.int64)
        low = int(before.min())
        # The mixture of bright and dull is made only of the stretch that is read.
        stretch = slice(low, int(before.max()) + 2)
        source = bright[stretch] + np.float32(self.dullness[index]) * (dull[stretch] - bright[stretch])
        fraction = (position - before).astype(np.float32)
        before -= low
        tone = source[before] + fraction * (source[before + 1] - source[before])  # a straight line between two frames
        return np.asarray(tone, dtype=np.float32)

    def envelope(self, index: int, first: int, last: int) -> Sound:
        """The gain of one tone between two frames counted from its strike: attack, hold, decay and release."""
        piano, frame = _instrument(), np.arange(first, last)
        zone = piano.zones[int(self.zone[index])]
        decay = np.maximum(frame - zone.hold * SAMPLE_RATE, 0) * (100 / (zone.decay * SAMPLE_RATE))
        release = np.maximum(frame - int(self.release[index]), 0) * float(self.fade[index])
        gain = np.exp((decay + release).astype(np.float32) * np.float32(-np.log(10) / 20))  # dB to a factor
        attack = round(piano.attack * SAMPLE_RATE)
        if first < attack:
            gain[: attack - first] *= (frame[frame < attack] / attack).astype(np.float32)
        return np.asarray(gain, dtype=np.float32)


def frame_count(notes: Notes) -> int:
    """Count the frames that the piece lasts, with the ringing of its last tone; half a second at least."""
    return _Tones.of(notes).frame_count


def tone_seconds(notes: Notes) -> float:
    """Add up how long each note sounds: what rendering costs, a second of work for some 900."""
    tones = _Tones.of(notes)
    return float((tones.end - tones.start).sum()) / SAMPLE_RATE


def sound_blocks(notes: Notes, *, block: int = BLOCK) -> Iterator[Sound]:
    """Render the piece in blocks float32 [F, 2]; the sound is the same for every size of block.

    Loud playing may pass 1: what is written is brought to one loudness (`loudness.find_gain`).

    Raises RequestError where the reader of the samples is not installed.
    """
    tones = _Tones.of(notes)
    for begin in range(0, tones.frame_count, block):
        sound = tones.mix(begin, min(begin + block, tones.frame_count))
        yield np.ascontiguousarray(sound.T, dtype=np.float32)


# The instrument


@cache
def _instrument() -> _Instrument:
    """Read piano.json."""
    described = json.loads(_file("piano.json"))
    release = np.empty(128)
    for span in described["releases"]:
        release[: span["velocities"][1] + 1][span["velocities"][0] :] = span["seconds"]
    release[0] = release[1]  # velocity 0 is no strike; the entry keeps the table square
    zones = tuple(
        _Zone(
            file=zone["file"],
            keys=tuple(zone["keys"]),
            velocities=tuple(zone["velocities"]),
            root=zone["root"] + zone["cents"] / 100,
            loop=tuple(zone["loop"]),
            hold=zone["hold"],
            decay=zone["decay"],
            gain=10 ** (-zone["attenuation"] / 20),
        )
        for zone in described["zones"]
    )
    zone_of = np.zeros((128, 128), dtype=np.int64)
    for index, zone in enumerate(zones):
        zone_of[zone.keys[0] : zone.keys[1] + 1, zone.velocities[0] : zone.velocities[1] + 1] = index
    return _Instrument(
        sample_rate=described["sample_rate"],
        exponent=described["velocity_exponent"],
        hertz=described["brightness"]["hertz"],
        octaves=described["brightness"]["octaves"],
        attack=described["attack"],
        release=release,
        zone=zone_of,
        zones=zones,
    )


@cache
def _sample(index: int) -> tuple[Sound, Sound, int]:
    """Decode a zone's sample at the finer rate: as loud playing sounds, as the softest does, and its loop's start.

    Both end at the loop's end, and one frame more that equals the loop's first. All twenty take 15 MB.
    """
    piano = _instrument()
    start, end = piano.zones[index].loop
    recorded = read_sample(piano.zones[index].file)[:end]
    # Silence before and more of the loop after, so that the filter rings at neither end of what is kept.
    unrolled = np.concatenate([np.zeros(PADDING, dtype=np.float32), recorded, np.resize(recorded[start:], PADDING)])
    size = 1 << (len(unrolled) - 1).bit_length()  # a power of two, which the FFT is quickest with
    spectrum = np.fft.rfft(unrolled, size)
    hertz = np.arange(len(spectrum)) * piano.sample_rate / size
    sounds = []
    for cutoff in (piano.hertz, piano.hertz * 2.0**-piano.octaves):
        # Second-order Butterworth, without its phase.
        attenuation = np.sqrt(1 + (hertz / cutoff) ** 4).astype(np.float32)
        filtered = np.fft.irfft(spectrum / attenuation, OVERSAMPLING * size) * OVERSAMPLING
        sound = filtered[OVERSAMPLING * PADDING :][: OVERSAMPLING * end + 1].astype(np.float32)
        sound[-1] = sound[OVERSAMPLING * start]
        sounds.append(sound)
    return sounds[0], sounds[1], OVERSAMPLING * start


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
    """Read a file of the package, which need not be unpacked for that."""
    return files("arietta.render").joinpath("sounds", "piano", name).read_bytes()

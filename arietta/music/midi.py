"""MIDI files to `Notes` and back: the only module that knows of ticks, tempo, channels and controllers.

A file is read as one piano: all tracks together, drums (channel 10) left out. Sustain is controller 64, down from
64 on, over all channels. What a file leaves open is settled here: a key struck again ends its earlier note; a note
or pedal never let go ends with the file; a note without length lasts a millisecond; the same key struck at the same
time on two tracks is one note, the longer and louder. The format itself stands in `smf`.

    notes = read_midi("piece.mid")
    write_midi("copy.mid", notes, title="Copy")
    meter = read_meter("piece.mid")
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MidiError
from ..files import write_file
from .meter import KeySignature, Meter, Tempo, TimeSignature, are_on_lattice, follows_meter
from .notes import Notes, Seconds, next_strike, shift
from .smf import (
    KEY_SIGNATURE,
    NAME,
    TEMPO,
    TEXT,
    TIME_SIGNATURE,
    Bytes,
    File,
    Integers,
    Message,
    Ticks,
    Track,
    compose_file,
    meta,
    parse,
)

LARGEST_FILE = 4 * 2**20  # bytes; the largest of 11,330 piano files in two corpora has 0.8 MB
LONGEST = 24 * 3600.0  # seconds
SHORTEST = 0.001  # seconds, for a note that ends where it begins
TICKS_PER_BEAT, MICROSECONDS_PER_BEAT = 960, 480_000  # written: a tick is 0.5 ms, so whole milliseconds stay exact

_SUSTAIN, _DOWN, _DRUMS = 64, 64, 9
_NOTE_OFF, _NOTE_ON, _CONTROL = 0x8, 0x9, 0xB


@dataclass(frozen=True)
class _Messages:
    """Messages of several tracks: `stream` is track and channel as one number, `kind` the status without channel."""

    tick: Ticks
    stream: Integers
    kind: Bytes
    first: Bytes
    second: Bytes

    def pick(self, chosen: NDArray[Any]) -> _Messages:
        """Keep those that a mask or indices choose."""
        chosen = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen  # search the mask once for five columns
        return _Messages(
            self.tick[chosen], self.stream[chosen], self.kind[chosen], self.first[chosen], self.second[chosen]
        )


@dataclass(frozen=True)
class _Strikes:
    """Notes in ticks, by stream, pitch and time."""

    onset: Ticks
    release: Ticks
    pitch: Bytes
    velocity: Bytes


def read_midi(source: str | Path | bytes, *, name: str | None = None, tracks: Sequence[int] | None = None) -> Notes:
    """Read a path or the bytes of a MIDI file; time 0 is the start of the file.

    `name` stands for the file in messages. `tracks`, counted from 0, chooses some, with all their channels.
    The tracks of a format 2 file follow one another. Raises MidiError, naming the file and the reason, when it
    cannot be opened, is no MIDI file, is broken, has no time in seconds, or lasts more than a day.
    """
    data, name = _load(source, name)
    try:
        file = parse(data)
        chosen = _choose(file, tracks)
        keep_drums = tracks is not None
        if file.format != 2:
            return _perform(chosen, file.tracks, file.ticks_per_beat, keep_drums=keep_drums)[0]
        parts = [_perform((track,), (track,), file.ticks_per_beat, keep_drums=keep_drums) for track in chosen]
        return _concatenate(parts)
    except MidiError as error:
        raise MidiError(f"{name}: {error}") from error


def read_texts(source: str | Path | bytes, *, name: str | None = None) -> list[str]:
    """Read the text events of a file, in its order; raises MidiError as `read_midi` does."""
    data, name = _load(source, name)
    try:
        metas = [event for track in parse(data).tracks for event in track.metas]
    except MidiError as error:
        raise MidiError(f"{name}: {error}") from error
    return [payload.decode("utf-8", errors="replace") for _, kind, payload in metas if kind == TEXT]


def read_meter(source: str | Path | bytes, *, name: str | None = None) -> Meter | None:
    """Read the metre that a file carries, its times counted as `read_midi` counts them; None where it has none.

    It has none where it sets neither time signature nor tempo, where its tracks stand alone (format 2), and where its
    notes ignore what it sets (`meter.follows_meter`). Raises MidiError as `read_midi` does.
    """
    data, name = _load(source, name)
    try:
        file = parse(data)
        tempos = _tempo_changes(file.tracks)
        seconds = _tempo_map(file.tracks, file.ticks_per_beat)
    except MidiError as error:
        raise MidiError(f"{name}: {error}") from error
    signatures = {tick: (payload[0], 2 ** payload[1]) for tick, payload in _metas(file, TIME_SIGNATURE) if payload[1:]}
    keys = {
        tick: (max(-7, min(int.from_bytes(payload[:1], "big", signed=True), 7)), payload[1] == 1)
        for tick, payload in _metas(file, KEY_SIGNATURE)
        if len(payload) == 2
    }
    messages = _gather(file.tracks)
    onset = np.unique(messages.tick[(messages.kind == _NOTE_ON) & (messages.second > 0)]) / file.ticks_per_beat
    # Every file has a first tempo, of 120 beats per minute where it sets none.
    is_set = bool(signatures) or len(tempos) > 1
    can_be_written = all(
        0 < beats <= 64 and unit <= 32 for beats, unit in signatures.values()
    )  # 0/4 and 4/2048 can not
    if file.format == 2 or not is_set or not can_be_written or not follows_meter(onset):
        return None
    signatures = {0: (4, 4)} | signatures  # 4/4 until told otherwise (SMF 1.0)
    tempo_at = dict(tempos)
    return Meter(
        tuple(TimeSignature(time, *signatures[tick]) for tick, time in _timed(signatures, seconds)),
        tuple(Tempo(time, tempo_at[tick] / 1e6) for tick, time in _timed(tempo_at, seconds)),
        tuple(KeySignature(time, *keys[tick]) for tick, time in _timed(keys, seconds)),
        is_exact=are_on_lattice(onset),
    )


def write_midi(path: str | Path, notes: Notes, *, title: str = "", texts: Sequence[str] = ()) -> None:
    """Write `midi_bytes` to `path`, whole or not at all; raises MidiError naming the path when that fails."""
    write_file(path, midi_bytes(notes, title=title, texts=texts), MidiError)


def midi_bytes(notes: Notes, *, title: str = "", texts: Sequence[str] = ()) -> bytes:
    """Make a format 1 file: title, texts and tempo on one track, the piano on the other; same notes, same bytes.

    Times are rounded to ticks of half a millisecond: a note keeps at least one, strikes of one key at one tick become
    one note, and a pedal down for less is left out. A note ends where its key is struck again, as it does when read.
    Raises MidiError for more than a day of music.
    """
    if notes.seconds > LONGEST:
        raise MidiError(f"the notes last {notes.seconds / 3600:.1f} hours; a file holds at most {LONGEST / 3600:.0f}")
    heading = [meta(NAME, title.encode(errors="replace"))] if title else []
    heading += [meta(TEXT, text.encode(errors="replace")) for text in texts]
    heading += [meta(TEMPO, MICROSECONDS_PER_BEAT.to_bytes(3, "big"))]
    piano = [(0, meta(NAME, b"Piano")), (0, bytes([0xC0, 0])), *_messages(notes)]
    return compose_file([[(0, message) for message in heading], piano], TICKS_PER_BEAT)


def _load(source: str | Path | bytes, name: str | None) -> tuple[bytes, str]:
    if isinstance(source, bytes):
        data, name = source, name or "the MIDI data"
    else:
        data, name = _read_bytes(source, name or str(source)), name or str(source)
    if not data:
        raise MidiError(f"{name}: the file is empty (0 bytes)")
    if data[:4] not in (b"MThd", b"RIFF"):
        raise MidiError(f"{name}: not a MIDI file: it begins with {data[:4]!r} where b'MThd' must stand")
    if len(data) > LARGEST_FILE:
        raise MidiError(f"{name}: larger than {LARGEST_FILE >> 20} MB, which no piano piece needs")
    return data, name


def _read_bytes(path: str | Path, name: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(LARGEST_FILE + 1)
    except FileNotFoundError as error:
        raise MidiError(f"{name}: there is no such file") from error
    except IsADirectoryError as error:
        raise MidiError(f"{name}: a folder, where a MIDI file is needed") from error
    except (OSError, ValueError) as error:
        raise MidiError(f"{name}: cannot be read ({getattr(error, 'strerror', None) or error})") from error


def _choose(file: File, tracks: Sequence[int] | None) -> tuple[Track, ...]:
    if tracks is None:
        return file.tracks
    missing = [number for number in tracks if not 0 <= number < len(file.tracks)]
    if missing:
        raise MidiError(f"it has no track {missing[0]}; its {len(file.tracks)} tracks are counted from 0")
    return tuple(file.tracks[number] for number in sorted(set(tracks)))


def _concatenate(parts: Sequence[tuple[Notes, float]]) -> Notes:
    """Play parts, each with its length in seconds, one after the other."""
    times = [0.0, *accumulate(seconds for _, seconds in parts)]
    if times[-1] > LONGEST:
        raise MidiError(f"its tracks last {times[-1] / 3600:.1f} hours together; at most {LONGEST / 3600:.0f} are read")
    later = [shift(notes, start) for (notes, _), start in zip(parts, times, strict=False)]
    if not later:
        return Notes.of()
    return Notes.of(
        np.concatenate([notes.onset for notes in later]),
        np.concatenate([notes.duration for notes in later]),
        np.concatenate([notes.pitch for notes in later]),
        np.concatenate([notes.velocity for notes in later]),
        np.concatenate([notes.pedal for notes in later]),
    )


def _perform(
    tracks: Sequence[Track], timing: Sequence[Track], ticks_per_beat: int, *, keep_drums: bool
) -> tuple[Notes, float]:
    """Play tracks together, with the tempo and the end that `timing` sets: notes, and seconds to the end."""
    end = max((track.end for track in timing), default=0)
    seconds = _tempo_map(timing, ticks_per_beat)
    messages = _gather(tracks)
    is_drum = messages.stream % 16 == _DRUMS
    if is_drum.any() and not keep_drums:
        messages = messages.pick(~is_drum)
    strikes, presses = _strikes(messages, end), _presses(messages, end)
    last = seconds(np.array([strikes.release.max(initial=0), presses.max(initial=0), end]))
    if last[:2].max() > LONGEST:
        raise MidiError(f"it lasts {last[:2].max() / 3600:.1f} hours; at most {LONGEST / 3600:.0f} are read")
    return _piano(strikes, seconds(strikes.onset), seconds(strikes.release), seconds(presses)), float(last[2])


def _gather(tracks: Sequence[Track]) -> _Messages:
    if not tracks:
        nothing, no_bytes = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.uint8)
        return _Messages(nothing, nothing, no_bytes, no_bytes, no_bytes)
    number = np.repeat(np.arange(len(tracks)), [len(track.tick) for track in tracks])
    status = np.concatenate([track.status for track in tracks])
    return _Messages(
        tick=np.concatenate([track.tick for track in tracks]),
        stream=number * 16 + status % 16,
        kind=(status // 16).astype(np.uint8),
        first=np.concatenate([track.first for track in tracks]),
        second=np.concatenate([track.second for track in tracks]),
    )


def _tempo_map(tracks: Sequence[Track], ticks_per_beat: int) -> Callable[[Ticks], Seconds]:
    """Make the function from ticks to seconds."""
    changes = _tempo_changes(tracks)
    change_ticks = np.array([tick for tick, _ in changes], dtype=np.int64)
    rate = np.array([tempo for _, tempo in changes]) / (ticks_per_beat * 1e6)
    times = np.concatenate([[0.0], np.cumsum(np.diff(change_ticks) * rate[:-1])])

    def seconds(ticks: Ticks) -> Seconds:
        change = np.searchsorted(change_ticks, ticks, side="right") - 1
        return np.asarray(times[change] + (ticks - change_ticks[change]) * rate[change], dtype=np.float64)

    return seconds


def _tempo_changes(tracks: Sequence[Track]) -> list[tuple[int, int]]:
    """Find every tempo, as ticks and microseconds a beat; it counts on whichever track it stands."""
    changes = [(0, 500_000)]  # 120 beats a minute until told otherwise (SMF 1.0)
    metas = (event for track in tracks for event in track.metas if event[1] == TEMPO)
    for tick, _, payload in sorted(metas, key=lambda event: event[0]):
        tempo = int.from_bytes(payload, "big")
        if len(payload) != 3 or tempo == 0:
            raise MidiError(f"the tempo at tick {tick} is {tempo} in {len(payload)} bytes; above 0 in 3 is right")
        changes.append((tick, tempo))
    return changes


def _metas(file: File, kind: int) -> list[tuple[int, bytes]]:
    """Find the meta events of a kind on all tracks: ticks and payloads, in order of time."""
    metas = [(tick, payload) for track in file.tracks for tick, meta_kind, payload in track.metas if meta_kind == kind]
    return sorted(metas, key=lambda event: event[0])  # by tick alone: of two at one tick the later track's counts


def _timed(changes: Mapping[int, object], seconds: Callable[[Ticks], Seconds]) -> list[tuple[int, float]]:
    """Pair ticks, in their order, with their times."""
    ticks = sorted(changes)
    return list(zip(ticks, seconds(np.array(ticks, dtype=np.int64)).tolist(), strict=True))


def _strikes(messages: _Messages, end: int) -> _Strikes:
    """Pair the note messages of each key of each stream; `end` is the release of what none ends.

    A key's strike ends with the key's next message. Only keys struck twice without being let go in between (two
    voices on one channel) need `_releases`, a plain loop.
    """
    messages = messages.pick((messages.kind == _NOTE_ON) | (messages.kind == _NOTE_OFF))
    key = messages.stream * 128 + messages.first
    key = key.astype(np.min_scalar_type(key.max(initial=0)))  # numpy sorts 16 bits by radix
    order = np.argsort(key, kind="stable")
    key, messages = key[order], messages.pick(order)
    is_on = (messages.kind == _NOTE_ON) & (messages.second > 0)
    is_same = key[1:] == key[:-1]
    release = np.where(np.append(is_same, np.False_), np.roll(messages.tick, -1), end)
    for crowded in np.unique(key[:-1][is_same & is_on[1:] & is_on[:-1]]).tolist():
        span = slice(*np.searchsorted(key, [crowded, crowded + 1]))
        release[span][is_on[span]] = _releases(messages.tick[span].tolist(), is_on[span].tolist(), end)
    struck = messages.pick(is_on)
    return _Strikes(struck.tick, release[is_on], struck.first, struck.second)


def _releases(ticks: list[int], is_on: list[bool], end: int) -> list[int]:
    """Find the release of each strike of one key: the note-off that lets go the last of the strikes still held.

    At one tick a key that sounds is let go before it is struck again. Where note-offs are missing, the last one
    before the next strike counts, else that strike, else the end.
    """
    releases: list[int] = []
    held, is_let_go = 0, True
    for tick, indices in groupby(range(len(ticks)), key=ticks.__getitem__):
        messages = [is_on[index] for index in indices]
        for is_strike in sorted(messages) if held else messages:
            if not is_let_go and is_strike:
                releases[-1] = tick
            if is_strike:
                releases.append(end)
                held, is_let_go = held + 1, False
            elif held:
                releases[-1] = tick
                held, is_let_go = held - 1, True
    return releases


def _presses(messages: _Messages, end: int) -> Ticks:
    """Find when the sustain pedal is down on any channel, int64 [P, 2] ticks; one never lifted is down to `end`."""
    messages = messages.pick((messages.kind == _CONTROL) & (messages.first == _SUSTAIN))
    messages = messages.pick(np.argsort(messages.stream, kind="stable"))
    is_down = messages.second >= _DOWN
    is_same = messages.stream[1:] == messages.stream[:-1]
    was_down = np.zeros(len(is_down), dtype=np.bool_)
    was_down[1:] = is_down[:-1] & is_same
    moves = is_down != was_down
    messages, is_down = messages.pick(moves), is_down[moves]
    up = np.full(len(is_down), end, dtype=np.int64)
    is_same = messages.stream[1:] == messages.stream[:-1]
    up[:-1][is_same] = messages.tick[1:][is_same]
    return _union(np.stack([messages.tick[is_down], up[is_down]], axis=1))


def _union(presses: Ticks) -> Ticks:
    """Join presses that overlap; those that only touch stay two: the pedal went up in between."""
    presses = presses[presses[:, 1] > presses[:, 0]]
    presses = presses[np.argsort(presses[:, 0], kind="stable")]
    if not len(presses):
        return presses
    reach = np.maximum.accumulate(presses[:, 1])
    begins = np.concatenate([[True], presses[1:, 0] >= reach[:-1]])
    return np.stack([presses[begins, 0], np.maximum.reduceat(presses[:, 1], np.flatnonzero(begins))], axis=1)


def _piano(strikes: _Strikes, onset: Seconds, release: Seconds, pedal: Seconds) -> Notes:
    """Play all on one piano: a key struck twice at once is one note, a key struck again ends its earlier note."""
    duration = np.where(release > onset, release - onset, SHORTEST)
    order = np.lexsort((onset, strikes.pitch))
    onset, duration, pitch, velocity = onset[order], duration[order], strikes.pitch[order], strikes.velocity[order]
    is_same = pitch[1:] == pitch[:-1]
    is_double = is_same & (onset[1:] == onset[:-1])
    if is_double.any():
        starts = np.flatnonzero(np.concatenate([[True], ~is_double]))
        duration, velocity = np.maximum.reduceat(duration, starts), np.maximum.reduceat(velocity, starts)
        onset, pitch, is_same = onset[starts], pitch[starts], is_same[starts[1:] - 1]
    duration[:-1][is_same] = np.minimum(duration[:-1], np.diff(onset))[is_same]
    return Notes.of(onset, duration, pitch, velocity, pedal[pedal[:, 1] > pedal[:, 0]])


def _messages(notes: Notes) -> list[Message]:
    """Write notes and pedal as messages. At one tick: pedal up, pedal down, note-offs, note-ons.

    So a key let go as the pedal goes down is held by it, as `fold_pedal` has it.
    """
    onset, release = _ticks(notes.onset), _ticks(np.minimum(notes.release, next_strike(notes)))
    down, up = _ticks(notes.pedal[:, 0]), _ticks(notes.pedal[:, 1])
    release = np.maximum(release, onset + 1)
    down, up = down[up > down], up[up > down]
    pitch, velocity = notes.pitch.tolist(), notes.velocity.tolist()
    control, on, off = _CONTROL << 4, _NOTE_ON << 4, _NOTE_OFF << 4
    messages = [(tick, 0, bytes([control, _SUSTAIN, 0])) for tick in up.tolist()]
    messages += [(tick, 1, bytes([control, _SUSTAIN, 127])) for tick in down.tolist()]
    messages += [(tick, 2, bytes([off, key, 64])) for tick, key in zip(release.tolist(), pitch, strict=True)]
    messages += [(t, 3, bytes([on, key, v])) for t, key, v in zip(onset.tolist(), pitch, velocity, strict=True)]
    return [(tick, message) for tick, _, message in sorted(messages)]


def _ticks(seconds: Seconds) -> Ticks:
    return np.rint(seconds * (1e6 * TICKS_PER_BEAT / MICROSECONDS_PER_BEAT)).astype(np.int64)

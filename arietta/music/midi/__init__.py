"""MIDI files to `Notes` and back: ticks become seconds, and all that a file plays is played on one piano.

All tracks are read together, drums (channel 10) left out. What a file leaves open is settled here: a key struck again
ends its earlier note; a note or pedal never let go ends with the file; a note without length lasts a millisecond; the
same key struck at the same time twice is one note, the longer and louder. What channels and controllers do stands in
`channels`, the format itself in `smf`.

    notes = read_midi("piece.mid")
    read_midi_remarks("piece.mid")  # what was merged and left out, in sentences
    write_midi("copy.mid", notes, title="Copy")
    meter = read_meter("piece.mid")
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate
from os import PathLike
from pathlib import Path

import numpy as np

from ...errors import MidiError, explain, require
from ...files import write_file
from ..meter import KeySignature, Meter, Tempo, TimeSignature, are_on_lattice, follows_meter
from ..notes import Notes, Seconds, next_strike, shift
from .channels import (
    CONTROL,
    DRUMS,
    NOTE_OFF,
    NOTE_ON,
    SUSTAIN,
    Strikes,
    find_presses,
    find_programs,
    find_strikes,
    gather,
    is_played,
)
from .smf import (
    KEY_SIGNATURE,
    NAME,
    TEMPO,
    TEXT,
    TIME_SIGNATURE,
    File,
    Message,
    Ticks,
    Track,
    compose_file,
    is_midi,
    meta,
    parse,
)
from .tempo_map import TempoMap, constant_tempo_map, lay_tempo_map

LARGEST_FILE = 4 * 2**20  # bytes; the largest of 11,330 piano files in two corpora has 0.8 MB
LONGEST = 24 * 3600.0  # seconds
SHORTEST = 0.001  # seconds, for a note that ends where it begins
SHORTEST_BEAT = 10_000  # microseconds, of a metre: 6,000 beats a minute
# Families of eight programs each (General MIDI 1).
FAMILIES = (
    *("piano", "chromatic percussion", "organ", "guitar", "bass", "strings", "ensembles", "brass"),
    *("reeds", "pipes", "synth leads", "synth pads", "synth effects", "ethnic instruments", "percussion", "effects"),
)
REMEDY = "; export the music anew, as a MIDI file (.mid)"  # of a file that is none, or is damaged
OF_SCORES = b"<score-partwise", b"<score-timewise", b"META-INF/container.xml"  # near the beginning of MusicXML, .mxl
GRID_TEXT = "arietta grid"  # of a file whose metre was laid under its notes: they follow it as playing does


def read_midi(source: str | Path | bytes, *, name: str | None = None, tracks: Sequence[int] | None = None) -> Notes:
    """Read a path or the bytes of a MIDI file; time 0 is the start of the file.

    `name` stands for the file in messages. `tracks`, counted from 0, chooses some, with all their channels.
    The tracks of a format 2 file follow one another. Raises MidiError, naming the file and the reason, when it
    cannot be opened, is no MIDI file, is broken, has no time in seconds, or lasts more than a day.
    """
    file, name = _parse(source, name)
    with _named(name):
        parts = [_perform(*part, file.ticks_per_beat) for part in _parts(file, tracks)]
        return parts[0][0] if file.format != 2 else _concatenate(parts)


def read_midi_remarks(
    source: str | Path | bytes, *, name: str | None = None, tracks: Sequence[int] | None = None
) -> list[str]:
    """Read what `read_midi` merges or leaves out of a file, as sentences; none of a file that holds one piano.

    Raises MidiError as `read_midi` does.
    """
    file, name = _parse(source, name)
    with _named(name):
        parts = _parts(file, tracks)
    drum_count, programs = 0, [np.zeros(0, dtype=np.uint8)]
    for part, chosen in parts:
        messages = gather(part)
        played = messages.pick(is_played(messages, chosen))
        programs.append(find_programs(played, messages))
        if tracks is None:
            is_strike = (messages.kind == NOTE_ON) & (messages.second > 0)
            drum_count += int((is_strike & (messages.channel % 16 == DRUMS)).sum())
    return _remarks(file, drum_count, np.bincount(np.concatenate(programs) // 8).tolist())


def read_midi_bytes(path: str | Path, name: str | None = None, *, most: int = LARGEST_FILE) -> bytes:
    """Read the bytes of a file, for what is read more than once: a pipe can be opened only once.

    What they hold is not looked at; of a file of more than `most` bytes only so many and one more are given. Raises
    MidiError, naming the file, when it cannot be opened.
    """
    require(path, (str, PathLike), "a MIDI file is given by its path or its bytes", MidiError)
    name = name or str(path)
    if not str(path):  # which Path takes for the folder one is in
        raise MidiError("a MIDI file is named by its path, such as theme.mid, not ''")
    try:
        with Path(path).open("rb") as file:
            return file.read(most + 1)
    except FileNotFoundError as error:
        raise MidiError(f"{name}: there is no such file; see how its name and its folder are spelled") from error
    except IsADirectoryError as error:
        raise MidiError(f"{name}: a folder, where a MIDI file is needed; name one of those in it") from error
    except (OSError, ValueError) as error:
        raise MidiError(f"{name}: cannot be read {explain(error)}") from error


def read_texts(source: str | Path | bytes, *, name: str | None = None) -> list[str]:
    """Read the text events of a file, in its order; raises MidiError as `read_midi` does."""
    file, _ = _parse(source, name)
    metas = [event for track in file.tracks for event in track.metas]
    return [payload.decode("utf-8", errors="replace") for _, kind, payload in metas if kind == TEXT]


def read_meter(source: str | Path | bytes, *, name: str | None = None) -> Meter | None:
    """Read the metre that a file carries, its times counted as `read_midi` counts them; None where it has none.

    It has none where it sets neither time signature nor tempo, where its tracks stand alone (format 2), where a
    beat is shorter than `SHORTEST_BEAT`, and where its notes ignore what it sets (`meter.follows_meter`). Raises
    MidiError as `read_midi` does.
    """
    file, name = _parse(source, name)
    with _named(name):
        tempos = _tempo_changes(file.tracks)
        seconds = _tempo_map(file.tracks, file.ticks_per_beat).seconds
    signatures = _signatures(file)
    keys = {
        tick: (max(-7, min(int.from_bytes(payload[:1], "big", signed=True), 7)), payload[1] == 1)
        for tick, payload in _metas(file, KEY_SIGNATURE)
        if len(payload) == 2
    }
    messages = gather(file.tracks)
    onset = np.unique(messages.tick[(messages.kind == NOTE_ON) & (messages.second > 0)]) / file.ticks_per_beat
    # Every file has a first tempo, of 120 beats per minute where it sets none.
    is_set = bool(signatures) or len(tempos) > 1
    # A tempo that makes millions of bars of a minute can not.
    can_be_written = not _unwritable(signatures)
    can_be_written &= all(tempo >= SHORTEST_BEAT for _, tempo in tempos)
    if file.format == 2 or not is_set or not can_be_written:
        return None
    is_laid = any(kind == TEXT and payload == GRID_TEXT.encode() for *_, kind, payload in file.tracks[0].metas)
    if not is_laid and not follows_meter(onset):
        return None
    signatures = {0: (4, 4)} | signatures  # 4/4 until told otherwise (SMF 1.0)
    tempo_at = dict(tempos)
    return Meter(
        tuple(TimeSignature(time, *signatures[tick]) for tick, time in _timed(signatures, seconds)),
        tuple(Tempo(time, tempo_at[tick] / 1e6) for tick, time in _timed(tempo_at, seconds)),
        tuple(KeySignature(time, *keys[tick]) for tick, time in _timed(keys, seconds)),
        is_exact=are_on_lattice(onset),
    )


def _signatures(file: File) -> dict[int, tuple[int, int]]:
    """Find every time signature, as beats and unit by its tick."""
    return {tick: (payload[0], 2 ** payload[1]) for tick, payload in _metas(file, TIME_SIGNATURE) if payload[1:]}


def _unwritable(signatures: Mapping[int, tuple[int, int]]) -> list[str]:
    """Return the signatures in which no bar can be written, as 0/4 and 4/2048."""
    return [f"{beats}/{unit}" for beats, unit in signatures.values() if not 0 < beats <= 64 or unit > 32]


def write_midi(
    path: str | Path, notes: Notes, *, title: str = "", texts: Sequence[str] = (), grid: Meter | float | None = None
) -> None:
    """Write `midi_bytes` to `path`, whole or not at all; raises MidiError naming the path when that fails."""
    write_file(path, midi_bytes(notes, title=title, texts=texts, grid=grid), MidiError)


def midi_bytes(notes: Notes, *, title: str = "", texts: Sequence[str] = (), grid: Meter | float | None = None) -> bytes:
    """Make a format 1 file: title, texts and tempos on one track, the piano on the other; same notes, same bytes.

    `grid` is the metre that is laid under the playing, or beats a minute; without one the tempo is 120 and means
    nothing. Whatever it is, seconds stay what they are, rounded to ticks of half a millisecond without a grid, of a
    millisecond or less with one: a note keeps at least one tick, strikes of one key at one tick become one note, and
    a pedal down for less is left out. A note ends where its key is struck again, as it does when read. Raises
    MidiError for more than a day of music, and for a tempo that no MIDI file can hold.
    """
    require(notes, Notes, "a MIDI file is made of Notes, as read_midi and a take's .notes are", MidiError)
    require(title, str, "a title is text", MidiError)
    if notes.seconds > LONGEST:
        raise MidiError(f"the notes last {notes.seconds / 3600:.1f} hours; a file holds at most {LONGEST / 3600:.0f}")
    if isinstance(grid, Meter):
        tempo_map, changes = lay_tempo_map(grid)
        texts = [*texts, GRID_TEXT]
    else:
        tempo_map = constant_tempo_map(grid or 0.0)
        changes = list(tempo_map.messages()) if grid else []  # 120 where nothing is said (SMF 1.0): no metre is claimed
    heading = [meta(NAME, title.encode(errors="replace"))] if title else []
    heading += [meta(TEXT, text.encode(errors="replace")) for text in texts]
    piano = [(0, meta(NAME, b"Piano")), (0, bytes([0xC0, 0])), *_messages(notes, tempo_map)]
    return compose_file([[*((0, message) for message in heading), *changes], piano], tempo_map.ticks_per_beat)


def _remarks(file: File, drum_count: int, family_counts: list[int]) -> list[str]:
    remarks = []
    if len(file.tracks) > file.promised:
        remarks.append(f"It has {len(file.tracks)} tracks where its header promises {file.promised}; all were read.")
    if file.broken:
        remarks.append(f"What follows its {len(file.tracks)} tracks was left out: {file.broken}.")
    if unwritable := _unwritable(_signatures(file)):
        remarks.append(f"Its metre was left out: there are no bars of {unwritable[0]}.")
    if drum_count:
        remarks.append(f"Drums were left out: {_notes(drum_count)} on channel 10.")
    families = {family: count for family, count in zip(FAMILIES, family_counts, strict=False) if count}
    if len(families) > 1:
        counts = ", ".join(f"{_notes(count)} for {family}" for family, count in families.items())
        remarks.append(f"Several instruments were merged into one piano: {counts}.")
    elif families and FAMILIES[0] not in families:
        ((family, count),) = families.items()
        remarks.append(f"It has no piano: {_notes(count)} for {family} are played on one.")
    return remarks


def _notes(count: int) -> str:
    return f"{count:,} note" if count == 1 else f"{count:,} notes"


def _parse(source: str | Path | bytes, name: str | None) -> tuple[File, str]:
    """Return what a file holds, and what messages call it; raises MidiError where it is no MIDI file, or damaged."""
    if isinstance(source, bytes):
        data, name = source, name or "the MIDI data"
    else:
        data, name = read_midi_bytes(source, name), name or str(source)
    if not is_midi(data) and any(sign in data[:4096] for sign in OF_SCORES):
        raise MidiError(
            f"{name}: is a score in MusicXML, where a MIDI file is needed; `arietta render FILE --to mid` "
            "makes one of it"
        )
    try:
        if not data:
            raise MidiError("the file is empty (0 bytes)")
        if not is_midi(data):
            raise MidiError(f"not a MIDI file: it begins with {data[:4].decode('latin-1')!r} where 'MThd' must stand")
        if len(data) > LARGEST_FILE:
            raise MidiError(f"larger than {LARGEST_FILE >> 20} MB, which no piano piece needs")
        return parse(data), name
    except MidiError as error:
        raise MidiError(f"{name}: {error}{REMEDY}") from error


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Name the file in what refuses it."""
    try:
        yield
    except MidiError as error:
        raise MidiError(f"{name}: {error}") from error


def _parts(file: File, tracks: Sequence[int] | None) -> list[tuple[Sequence[Track], Sequence[int] | None]]:
    """Split a file into parts that follow one another: tracks, and which of them are chosen (None: all, no drums)."""
    count = len(file.tracks)
    chosen = None if tracks is None else sorted(set(tracks))
    missing = [number for number in chosen or () if not 0 <= number < count]
    if missing:
        raise MidiError(f"it has no track {missing[0]}; its {count} tracks are counted from 0")
    if file.format != 2:
        return [(file.tracks, chosen)]
    numbers = range(count) if chosen is None else chosen
    return [((file.tracks[number],), None if chosen is None else (0,)) for number in numbers]


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


def _perform(tracks: Sequence[Track], chosen: Sequence[int] | None, ticks_per_beat: int) -> tuple[Notes, float]:
    """Play the chosen tracks, under the tempo and the controllers of all: notes, and seconds to the end of all."""
    end = max((track.end for track in tracks), default=0)
    seconds = _tempo_map(tracks, ticks_per_beat).seconds
    messages = gather(tracks)
    played = messages.pick(is_played(messages, chosen))
    strikes, presses = find_strikes(played, messages, end), find_presses(played, messages, end)
    # One call for all: what is alike of each call takes as long as some thousand ticks.
    ticks = [np.array([end]), strikes.onset, strikes.release, presses.reshape(-1)]
    times = seconds(np.concatenate(ticks))
    after, onset, release, pedal = np.split(times, np.cumsum([len(part) for part in ticks[:-1]]))
    last = max(release.max(initial=0.0), pedal.max(initial=0.0))
    if last > LONGEST:
        raise MidiError(f"it lasts {last / 3600:.1f} hours; at most {LONGEST / 3600:.0f} are read")
    return _piano(strikes, onset, release, pedal.reshape(-1, 2)), float(after[0])


def _tempo_map(tracks: Sequence[Track], ticks_per_beat: int) -> TempoMap:
    """Read the tempos of all tracks."""
    tick, tempo = zip(*_tempo_changes(tracks), strict=True)
    return TempoMap(ticks_per_beat, np.array(tick, dtype=np.int64), np.array(tempo, dtype=np.int64))


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


def _piano(strikes: Strikes, onset: Seconds, release: Seconds, pedal: Seconds) -> Notes:
    """Play all on one piano: a key struck twice at once is one note, a key struck again ends its earlier note.

    Strikes stand by pitch and time already, and a later tick is never an earlier second.
    """
    duration = np.where(release > onset, release - onset, SHORTEST)
    pitch, velocity = strikes.pitch, strikes.velocity
    is_same = pitch[1:] == pitch[:-1]
    is_double = is_same & (onset[1:] == onset[:-1])
    if is_double.any():
        starts = np.flatnonzero(np.concatenate([[True], ~is_double]))
        duration, velocity = np.maximum.reduceat(duration, starts), np.maximum.reduceat(velocity, starts)
        onset, pitch, is_same = onset[starts], pitch[starts], is_same[starts[1:] - 1]
    duration[:-1][is_same] = np.minimum(duration[:-1], np.diff(onset))[is_same]
    return Notes.of(onset, duration, pitch, velocity, pedal[pedal[:, 1] > pedal[:, 0]])


def _messages(notes: Notes, tempo_map: TempoMap) -> list[Message]:
    """Write notes and pedal as messages. At one tick: pedal up, pedal down, note-offs, note-ons.

    So a key let go as the pedal goes down is held by it, as `fold_pedal` has it.
    """
    onset, release = tempo_map.ticks(notes.onset), tempo_map.ticks(np.minimum(notes.release, next_strike(notes)))
    down, up = tempo_map.ticks(notes.pedal[:, 0]), tempo_map.ticks(notes.pedal[:, 1])
    release = np.maximum(release, onset + 1)
    down, up = down[up > down], up[up > down]
    pitch, velocity = notes.pitch.tolist(), notes.velocity.tolist()
    control, on, off = CONTROL << 4, NOTE_ON << 4, NOTE_OFF << 4
    messages = [(tick, 0, bytes([control, SUSTAIN, 0])) for tick in up.tolist()]
    messages += [(tick, 1, bytes([control, SUSTAIN, 127])) for tick in down.tolist()]
    messages += [(tick, 2, bytes([off, key, 64])) for tick, key in zip(release.tolist(), pitch, strict=True)]
    messages += [(t, 3, bytes([on, key, v])) for t, key, v in zip(onset.tolist(), pitch, velocity, strict=True)]
    return [(tick, message) for tick, _, message in sorted(messages)]

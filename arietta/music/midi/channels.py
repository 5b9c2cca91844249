"""What the channels of a MIDI file do to one piano: keys struck and released, pedal down and up, programs chosen.

A controller is a state of its channel, whichever track sends it: the messages of all tracks stand here in the order
of time, and a channel is a MIDI port with one of its sixteen channels. A key is struck by any channel and is
one key of the piano. Times are in ticks; what a file is, and seconds, stand in `midi`, the bytes in `smf`.

    messages = gather(file.tracks)
    played = messages.pick(is_played(messages, None))
    strikes, presses = find_strikes(played, messages, end), find_presses(played, messages, end)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .smf import Bytes, Integers, Ticks, Track

NOTE_OFF, NOTE_ON, CONTROL, PROGRAM = 0x8, 0x9, 0xB, 0xC  # kinds of channel messages
DRUMS = 9  # channel 10 as musicians count

SUSTAIN, DOWN = 64, 64  # the controller, and the least value that presses the pedal
RESET_CONTROLLERS = 121
# All sound off, all notes off, and the four changes of mode that mean all notes off too (MIDI 1.0).
SILENCES = (120, 123, 124, 125, 126, 127)

_IS_SILENCE = np.isin(np.arange(256), SILENCES)  # by controller
_SILENCE, _RELEASE, _STRIKE = 0, 1, 2  # in the order in which they count at one tick
_CHANNELS = 256 * 16  # the port is a byte
_CHANNEL_SHIFT = 48  # bits for a tick: a file has less than 2**20 events, each at most 2**28 ticks after the last


@dataclass(frozen=True)
class Messages:
    """Channel messages of several tracks in order of time, at one tick in order of the tracks: columns [M].

    `channel` is the port times 16 and the channel from 0, `kind` the status without its channel.
    """

    tick: Ticks
    track: Integers
    channel: Integers
    kind: Bytes
    first: Bytes
    second: Bytes

    def pick(self, chosen: NDArray[Any]) -> Messages:
        """Keep those that a mask or indices choose."""
        chosen = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen  # search the mask once for six columns
        return Messages(*(getattr(self, column.name)[chosen] for column in fields(self)))


@dataclass(frozen=True)
class Strikes:
    """Notes in ticks, by pitch and time: columns [N]."""

    onset: Ticks
    release: Ticks
    pitch: Bytes
    velocity: Bytes


def gather(tracks: Sequence[Track]) -> Messages:
    """Put the messages of tracks in order of time."""
    if not tracks:
        nothing, no_bytes = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.uint8)
        return Messages(nothing, nothing, nothing, no_bytes, no_bytes, no_bytes)
    status = np.concatenate([track.status for track in tracks])
    messages = Messages(
        tick=np.concatenate([track.tick for track in tracks]),
        track=np.repeat(np.arange(len(tracks)), [len(track.tick) for track in tracks]),
        channel=np.concatenate([track.port for track in tracks]) * np.int64(16) + status % 16,
        kind=(status // 16).astype(np.uint8),
        first=np.concatenate([track.first for track in tracks]),
        second=np.concatenate([track.second for track in tracks]),
    )
    if (messages.tick[1:] >= messages.tick[:-1]).all():  # as where only one track has messages
        return messages
    return messages.pick(np.argsort(messages.tick, kind="stable"))


def is_played(messages: Messages, tracks: Sequence[int] | None) -> NDArray[np.bool_]:
    """Tell which messages, bool [M], play keys of the piano: those of `tracks`, or of all without drums."""
    is_note: NDArray[np.bool_] = (messages.kind == NOTE_ON) | (messages.kind == NOTE_OFF)
    if tracks is None:
        is_piano: NDArray[np.bool_] = messages.channel & 15 != DRUMS  # a remainder takes ten times as long
        return is_note & is_piano
    return is_note & np.isin(messages.track, np.array(tracks, dtype=np.int64))


def find_strikes(played: Messages, messages: Messages, end: int) -> Strikes:
    """Pair the note messages `played` of each key; `end` is the release of what none ends.

    A strike ends with the key's next message. Only keys struck twice without being let go in between (two voices on
    one channel, or two channels) need `_releases`, a plain loop. What `messages` holds of all notes off counts as
    the release of all keys that the channel holds; notes that the pedal goes on holding are the pedal's affair.
    """
    silences = messages.pick((messages.kind == CONTROL) & _IS_SILENCE[messages.first])
    if len(silences.tick):
        played = _in_order_of_time(_by_key(silences, played.pick(_is_strike(played))), played)
    order = np.argsort(played.first, kind="stable")  # numpy sorts bytes by radix
    tick, key, channel = played.tick[order], played.first[order], played.channel[order]
    is_strike = _is_strike(played)[order]
    is_same = key[1:] == key[:-1]
    release = np.where(np.append(is_same, np.False_), np.roll(tick, -1), end)
    is_open = is_same & is_strike[:-1] & (is_strike[1:] | (channel[1:] != channel[:-1]))
    if is_open.any():
        action = np.where(is_strike, _STRIKE, _RELEASE)
        action[played.kind[order] == CONTROL] = _SILENCE
        bounds = np.searchsorted(key, np.arange(129))  # of all keys at once: every call reads the whole of `key`
        for crowded in np.unique(key[:-1][is_open]).tolist():
            span = slice(bounds[crowded], bounds[crowded + 1])
            actions = zip(tick[span].tolist(), action[span].tolist(), channel[span].tolist(), strict=True)
            release[span][is_strike[span]] = _releases(actions, end)
    struck = np.flatnonzero(is_strike)
    return Strikes(tick[struck], release[struck], key[struck], played.second[order[struck]])


def find_presses(played: Messages, messages: Messages, end: int) -> Ticks:
    """Find when the sustain pedal is down, int64 [P, 2] ticks; one never lifted is down to `end`.

    It is down while any channel holds it that has notes among `played`; where there are none, any channel. Drums
    never hold it.
    """
    is_sustain = (messages.first == SUSTAIN) | (messages.first == RESET_CONTROLLERS)
    is_move = (messages.kind == CONTROL) & is_sustain & (messages.channel & 15 != DRUMS)
    struck = played.channel[_is_strike(played)]
    if len(struck):
        has_notes = np.zeros(_CHANNELS, dtype=np.bool_)
        has_notes[struck] = True
        is_move &= has_notes[messages.channel]
    moves = messages.pick(is_move)
    if (moves.channel[1:] < moves.channel[:-1]).any():
        moves = moves.pick(np.argsort(moves.channel, kind="stable"))
    is_down = (moves.first == SUSTAIN) & (moves.second >= DOWN)
    is_same = moves.channel[1:] == moves.channel[:-1]
    was_down = np.zeros(len(is_down), dtype=np.bool_)
    was_down[1:] = is_down[:-1] & is_same
    is_change = is_down != was_down
    moves, is_down = moves.pick(is_change), is_down[is_change]
    up = np.full(len(is_down), end, dtype=np.int64)
    is_same = moves.channel[1:] == moves.channel[:-1]
    up[:-1][is_same] = moves.tick[1:][is_same]
    return _union(np.stack([moves.tick[is_down], up[is_down]], axis=1))


def find_programs(played: Messages, messages: Messages) -> Bytes:
    """Find the program, 0-127, that each strike among `played` has on its channel; 0 until one is chosen."""
    changes = messages.pick(messages.kind == PROGRAM)
    changes = changes.pick(np.argsort(_moments(changes), kind="stable"))
    strikes = played.pick(_is_strike(played))
    last = np.searchsorted(_moments(changes), _moments(strikes), side="right") - 1
    is_chosen = last >= 0
    is_chosen[is_chosen] = changes.channel[last[is_chosen]] == strikes.channel[is_chosen]
    programs = np.zeros(len(last), dtype=np.uint8)
    programs[is_chosen] = changes.first[last[is_chosen]]
    return programs


def _is_strike(messages: Messages) -> NDArray[np.bool_]:
    is_strike: NDArray[np.bool_] = (messages.kind == NOTE_ON) & (messages.second > 0)
    return is_strike


def _in_order_of_time(*parts: Messages) -> Messages:
    """Merge messages by tick; at one tick the earlier part comes first."""
    columns = (np.concatenate([getattr(part, column.name) for part in parts]) for column in fields(Messages))
    messages = Messages(*columns)
    return messages.pick(np.argsort(messages.tick, kind="stable"))


def _by_key(silences: Messages, strikes: Messages) -> Messages:
    """Make of each all notes off a message, still a controller's, for every key in `first` that it may release.

    These are the keys struck since the one before it, so there are never more messages than strikes. A key struck at
    the very tick of a silence is struck after it.
    """
    moments = np.unique(_moments(silences))
    following = np.searchsorted(moments, _moments(strikes), side="right")
    is_before = following < len(moments)
    is_before[is_before] = moments[following[is_before]] >> _CHANNEL_SHIFT == strikes.channel[is_before]
    pairs = np.unique(following[is_before] * 128 + strikes.first[is_before])  # a silence and a key
    moment = moments[pairs // 128]
    nothing = np.zeros(len(pairs), dtype=np.uint8)
    return Messages(
        tick=moment & (1 << _CHANNEL_SHIFT) - 1,
        track=np.zeros(len(pairs), dtype=np.int64),
        channel=moment >> _CHANNEL_SHIFT,
        kind=nothing + np.uint8(CONTROL),
        first=(pairs % 128).astype(np.uint8),
        second=nothing,
    )


def _moments(messages: Messages) -> Integers:
    """Give each message a number that sorts by channel, then by tick."""
    return messages.channel << _CHANNEL_SHIFT | messages.tick


def _releases(actions: Iterable[tuple[int, int, int]], end: int) -> list[int]:
    """Find the release of each strike of one key, which is down while any of its strikes is held.

    `actions` are ticks, what is done, and channels. A channel lets go only what it holds, and at one tick lets go
    what it holds before it strikes again. Where note-offs are missing, so that the key would never come up, a
    strike ends with the last note-off before the next strike, else with that strike, else with the end.
    """
    onsets: list[int] = []
    releases: list[int] = []
    held: Counter[int] = Counter()  # strikes by channel
    held_count, first, is_let_go = 0, 0, True  # `first` of the strikes since the key was last up
    for tick, group in groupby(actions, key=itemgetter(0)):
        at_once = list(group)
        if held_count:
            at_once.sort(key=lambda message: message[1] if held[message[2]] else _STRIKE)
        for _, action, channel in at_once:
            if action == _STRIKE:
                if not is_let_go:
                    releases[-1] = tick
                onsets.append(tick)
                releases.append(end)
                held[channel] += 1
                held_count, is_let_go = held_count + 1, False
            elif held[channel]:
                let_go = held[channel] if action == _SILENCE else 1
                held[channel] -= let_go
                releases[-1] = tick
                held_count, is_let_go = held_count - let_go, True
                if not held_count:  # every note-off was there: nothing came up in between
                    releases[first:-1] = onsets[first + 1 :]
                    first = len(onsets)
    return releases


def _union(presses: Ticks) -> Ticks:
    """Join presses that overlap; those that only touch stay two: the pedal went up in between."""
    presses = presses[presses[:, 1] > presses[:, 0]]
    if (presses[1:, 0] >= presses[:-1, 1]).all():  # as those of one channel are
        return presses
    presses = presses[np.argsort(presses[:, 0], kind="stable")]
    reach = np.maximum.accumulate(presses[:, 1])
    begins = np.concatenate([[True], presses[1:, 0] >= reach[:-1]])
    return np.stack([presses[begins, 0], np.maximum.reduceat(presses[:, 1], np.flatnonzero(begins))], axis=1)

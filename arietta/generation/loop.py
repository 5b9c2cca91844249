"""The one loop: a request goes in, an engine and a decoder take turns, a take comes out.

    take = generate(Request(notes=300, style="Chopin"), load_engine(load_bundle("concert")))
    take.save("piece.mid")

A `Generation` is one request being composed: what it needs from the engine each step, and what it makes of each row.
`stream` yields notes as they are made; `compose` gathers them. The decoder counts, so N notes are N notes.

A style is followed as strongly as `Sampling.guidance` says. Above 1 the piece has a second place in the engine's
cache, where the same music is in nobody's style, and its row is drawn from log p(any) + guidance (log p(style) -
log p(any)): classifier-free guidance (Ho and Salimans 2022, arXiv 2207.12598, equation 6).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..codecs.codec import Masks, Tokens
from ..codecs.grid import LONGEST_CODA, SHORTEST_CODA
from ..errors import RequestError
from ..model.bundle import Bundle, condition_of
from ..model.engine import Engine
from ..model.sampling import gumbel
from ..music import notes as music
from ..music.loops import LoopGuard
from ..music.notes import Note, Notes, Pedal
from .prompt import after_prompt, held_since
from .request import MAX_NOTES, Request, Take

ROWS_SUMMED = 64
NOISES_DRAWN = 16  # rows of noise at a time
LAST_NOTES = 16  # how many a piece of so many seconds has before its pace is judged


class Generation:
    """One request being composed, step by step."""

    def __init__(self, request: Request, bundle: Bundle) -> None:
        """Check the request against the model and take in the prompt; raises RequestError before any work."""
        self.request, self.bundle = request, bundle
        self.codec = bundle.codec
        if not self.codec.can_continue and (request.prompt is not None or request.seconds is not None):
            raise RequestError(f"{bundle.name} composes a number of notes from the beginning: no prompt, no seconds")
        self.condition = condition_of(request.style, bundle)
        self.is_guided = bool(self.condition[0]) and request.sampling.guidance != 1
        self.rng = np.random.default_rng(request.seed)
        self.decoder = self.codec.decoder()
        self.loop_guard = LoopGuard()
        self.tokens: list[list[int]] = []
        self.events: list[Note | Pedal] = []
        self._nll, self._unlikely = 0.0, list[list[float]]()  # the sum so far, and the rows not yet in it
        self._noise_width = sum(self.codec.field_sizes)
        self._noise = self._draw_noise()
        self._coda_at = int(self.rng.integers(SHORTEST_CODA, LONGEST_CODA + 1))
        self._is_announced = False
        self.prompt_tokens = self._hear_prompt()
        self._begin = self.decoder.clock
        self._heard = self.decoder.note_count
        until = None if request.seconds is None else self._begin + request.seconds
        self.decoder.plan(notes_left=request.notes, until=until)

    def _hear_prompt(self) -> Tokens:
        """Push the prompt's rows into the decoder; its keys stay held until their own releases."""
        prompt = self.request.prompt
        self._shift, self._held_since = 0.0, None
        if prompt is None:
            return np.zeros((0, len(self.codec.field_sizes)), dtype=np.uint16)
        heard = music.trim(prompt)
        events = self.codec.encode(heard, is_complete=False)
        for row in events.tolist():
            self.decoder.push(row)
        # What is composed goes on from the last onset itself, not from where the grid put it: never before it.
        last = float(prompt.onset.max())
        self._shift = last - self.decoder.clock
        is_key = (prompt.pitch >= music.LOWEST_PITCH) & (prompt.pitch <= music.HIGHEST_PITCH)
        for index in np.flatnonzero(is_key & (prompt.release > last)):
            self.decoder.hold(int(prompt.pitch[index]), float(prompt.release[index]) - self._shift)
        self._held_since = held_since(prompt, heard, self.decoder)
        self.tokens = events.tolist()
        return events

    def _placed(self, event: Note | Pedal) -> Note | Pedal:
        """Move what the decoder gave to the piece's seconds; a pedal held over the seam keeps its own beginning."""
        if isinstance(event, Note):
            return event._replace(onset=event.onset + self._shift)
        down = event.down + self._shift if self._held_since is None else self._held_since
        self._held_since = None
        return Pedal(down, event.up + self._shift)

    @property
    def is_done(self) -> bool:
        return self.decoder.is_ended

    @property
    def note_count(self) -> int:
        """Notes composed so far."""
        return self.decoder.note_count - self._heard

    @property
    def progress(self) -> tuple[float, float]:
        """How much is composed, and of how much: notes or seconds."""
        if self.request.notes is not None:
            return self.note_count, self.request.notes
        assert self.request.seconds is not None
        done = self.request.seconds if self.is_done else self.decoder.clock - self._begin
        return min(done, self.request.seconds), self.request.seconds

    def noise(self) -> NDArray[np.float32]:
        """Gumbel noise for the next row, float32 [sum V]."""
        return next(self._noise)

    def _draw_noise(self) -> Iterator[NDArray[np.float32]]:
        """Many rows at a time: one by one took twice as long."""
        while True:
            yield from gumbel(self.rng, NOISES_DRAWN * self._noise_width).reshape(NOISES_DRAWN, -1)

    def masks(self) -> Masks:
        """What the next row may be: the grammar, less what would go on with a loop."""
        left = self._notes_left()
        if not self._is_announced and SHORTEST_CODA <= left <= self._coda_at and self.tokens:
            self.decoder.announce_end(left)
            self._is_announced = True
        if self.loop_guard.looping_pitch is not None:
            self.decoder.avoid(self.loop_guard.looping_pitch)
        return self.decoder.masks()

    def _notes_left(self) -> int:
        """Notes still to come; in a piece of so many seconds, at the pace so far."""
        if self.request.notes is not None:
            return self.request.notes - self.note_count
        done, whole = self.progress
        return round((whole - done) * self.note_count / done) if self.note_count >= LAST_NOTES and done else MAX_NOTES

    def push(self, row: list[int], nll: NDArray[np.float32]) -> tuple[list[int], list[Note | Pedal]]:
        """Take the engine's row: (the row as it stands in the piece, what it completes, in the piece's seconds)."""
        row = list(self.decoder.fit(row))
        made = [self._placed(event) for event in self.decoder.push(row)]
        self.tokens.append(row)
        self._unlikely.append(nll.tolist())
        if len(self._unlikely) == ROWS_SUMMED:
            self._sum_nll()
        for event in made:
            if isinstance(event, Note):
                self.loop_guard.push(event)
        if self.decoder.is_ended:
            made += [self._placed(event) for event in self.decoder.finish()]
        self.events += made
        return row, made

    @property
    def nll(self) -> float:
        """Nats that the composed rows cost under the model, fields that the grammar fixes not counted."""
        self._sum_nll()
        return self._nll

    def _sum_nll(self) -> None:
        """Add up many rows at once: one by one took as long as decoding them."""
        if self._unlikely:
            counted = self.codec.loss_mask(np.array(self.tokens[-len(self._unlikely) :], dtype=np.uint16))
            self._nll += float(np.array(self._unlikely)[counted].sum())
            self._unlikely.clear()

    def take(self, seconds_taken: float) -> Take:
        """Close the piece and gather it."""
        prompt = self.request.prompt
        return Take(
            notes=Notes.from_events(self.events) if prompt is None else after_prompt(prompt, self.events),
            tokens=np.array(self.tokens, dtype=np.uint16),
            prompt_token_count=len(self.prompt_tokens),
            prompt_notes=len(prompt) if prompt is not None else 0,
            request=self.request,
            model=self.bundle.name,
            bundle=self.bundle.fingerprint,
            nll=self.nll / max(self.note_count, 1),
            seconds_taken=seconds_taken,
        )


def generate(
    request: Request,
    engine: Engine,
    *,
    progress: Callable[[float, float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Take:
    """Compose the whole piece; `cancelled` is asked before each step and ends it with RequestError."""
    made = stream(request, engine)
    while True:
        if cancelled is not None and cancelled():
            raise RequestError("composing was cancelled")
        try:
            _, (done, whole) = next(made)
        except StopIteration as finished:
            take: Take = finished.value
            return take
        if progress is not None:
            progress(done, whole)


def stream(request: Request, engine: Engine) -> Generator[tuple[list[Note | Pedal], tuple[float, float]], None, Take]:
    """Yield, after every step, what it completed and how far the piece is; the generator's value is the take."""
    begun = time.perf_counter()
    piece = Generation(request, engine.bundle)
    cache, places = start(piece, engine)
    while not piece.is_done:
        ((_, made),) = step(places, cache, engine)
        yield made, piece.progress
    return piece.take(time.perf_counter() - begun)


@dataclass(frozen=True)
class Slot:
    """A slot of an engine's cache: a piece in its style or, where `is_unconditional`, the same music in none."""

    piece: Generation
    is_unconditional: bool = False


def start(piece: Generation, engine: Engine) -> tuple[Any, list[Slot]]:
    """A cache of the engine with the piece alone, its prompt taken in, and whose its places are: one, or two."""
    cache = engine.start_after(piece.condition, piece.prompt_tokens)
    if not piece.is_guided:
        return cache, [Slot(piece)]
    engine.join(cache, engine.start_after((0, piece.condition[1]), piece.prompt_tokens))
    return cache, [Slot(piece), Slot(piece, is_unconditional=True)]


def step(places: Sequence[Slot], cache: Any, engine: Engine) -> list[tuple[Generation, list[Note | Pedal]]]:
    """Compose one row of every piece: each with what its row completed."""
    wanted = {place.piece: (place.piece.noise(), place.piece.masks()) for place in places if not place.is_unconditional}
    noise = np.stack([wanted[place.piece][0] for place in places])
    masks = [wanted[place.piece][1] for place in places]
    numbers = {(place.piece, place.is_unconditional): number for number, place in enumerate(places)}
    partners = [
        numbers.get((piece, not is_unconditional), number) for (piece, is_unconditional), number in numbers.items()
    ]
    rows = engine.decode(cache, noise, masks, [place.piece.request.sampling for place in places], partners).tolist()
    pushed = {
        place.piece: place.piece.push(rows[number], cache.nll[number])
        for number, place in enumerate(places)
        if not place.is_unconditional
    }
    for number, place in enumerate(places):
        engine.replace_last(cache, number, pushed[place.piece][0])
    return [(piece, made) for piece, (_, made) in pushed.items()]

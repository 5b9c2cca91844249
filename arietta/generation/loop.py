"""The loop: an engine and a decoder take turns until a request is a take.

    take = generate(Request(notes=300, style="Chopin"), load_engine(load_bundle("concert")))
    take.save("piece.mid")

A `Generation` is one request being composed: what it needs from the engine at each step, and what it makes of each
token. `stream` yields notes as they are composed; `generate` returns the take at the end. The decoder counts the
notes, so that N notes are N notes.

A long passage has parts. Where one is over and another follows, a generation `has_next`: `open_next` lays that out, and
it is started like a new one.

Above a guidance of 1 a generation in a style has two slots of the engine's cache: its own, and an unconditional
partner, where the same music is in no style. Both draw the same token, by the formula in `model/sampling`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..codecs.codec import Decoder, Masks
from ..codecs.grid import LONGEST_CODA, SHORTEST_CODA
from ..codecs.note import NoteCodec
from ..errors import RequestError, require
from ..model.bundle import Bundle, condition_of
from ..model.cache import Cache
from ..model.config import ConditionIds
from ..model.engine import Engine
from ..model.sampling import Guide, gumbel
from ..music.loops import LoopGuard
from ..music.notes import Note, Notes, Pedal, trim
from .guard import CourseGuard, Leans
from .passage import OpenPassage, filling_codec
from .prompt import Seam, join_prompt, push_prompt
from .request import MAX_NOTES, Request, Take
from .scores.performance import Performance
from .wishes import WishSchedule

TOKENS_SUMMED = 64  # added to the likelihood at once: adding them one by one took as long as decoding them
NOISE_ROWS = 16  # drawn at once: drawing them one by one took twice as long
MIN_NOTES_FOR_PACE = 16  # composed before the pace of a piece of so many seconds is judged


class Generation:
    """A request in progress, token by token."""

    opened: OpenPassage | None = None  # the part of a passage that is being written
    course_guard: CourseGuard | None = None
    _is_coda_announced = False

    def __init__(self, request: Request, bundle: Bundle, *, is_guarded: bool = True) -> None:
        """Check the request against the model and take in its prompt; raises RequestError before any work.

        Only studies of what the guards are for switch `is_guarded` off.
        """
        self.request, self.bundle = request.resolve(bundle), bundle
        self.codec = bundle.codec
        if not self.codec.can_continue and (request.prompt is not None or request.seconds is not None):
            raise RequestError(f"{bundle.name} composes a number of notes from the beginning: no prompt, no seconds")
        self._style = condition_of(self.request.style, bundle)
        self.unconditional = bundle.model.unconditional(self._style)
        is_wished = bool(request.wishes) or self.unconditional != self._style
        self.is_guided = is_wished and self.request.sampling.guidance != 1
        self.rng = np.random.default_rng(request.seed)
        self.decoder: Decoder = self.codec.decoder()
        # A score repeats what it repeats, and is as dense as it is.
        is_free = is_guarded and not isinstance(request.edit, Performance)
        self.loop_guard = LoopGuard() if is_free else None
        self.leans = Leans(request.wishes) if is_free and isinstance(self.codec, NoteCodec) else None
        self.interventions: Counter[str] = Counter()  # of the guards, by what they are against
        self.events: list[Note | Pedal] = []
        self._nll = 0.0
        self._unsummed_nll: list[list[float]] = []
        self._noise_width = sum(self.codec.field_sizes)
        self._noise = self._draw_noise()
        self._coda_at = int(self.rng.integers(SHORTEST_CODA, LONGEST_CODA + 1))
        self._is_stopping = self._is_stopped = False
        self._schedule = WishSchedule(request.wishes, bundle.model, self._style)
        self._parts = () if self.request.edit is None else self.request.edit.written
        self._open_count = 0  # of the parts
        if self.request.edit is not None and not self._parts:
            filling_codec(bundle)  # which refuses a model that cannot, also where nothing is to be written
        if self._parts:
            self.open_next()
        else:
            self._take_in(push_prompt(request.prompt, self.codec, self.decoder))
            if self.leans is not None:
                self.leans.begin(self._start_clock, np.zeros(0))
        # Models of earlier formats compose what they composed, and a passage has the course of what is around it.
        is_watched = bundle.format > 3 and isinstance(self.codec, NoteCodec) and request.edit is None
        if is_guarded and is_watched:
            self.course_guard = CourseGuard(self.interventions, self.decoder.clock, request.prompt)
        self.is_changing = request.edit is not None or self._schedule.is_changing
        if request.edit is None:
            until = None if request.seconds is None else self._start_clock + request.seconds
            self.decoder.plan(notes_left=request.notes, until=until)

    def open_next(self) -> None:
        """Open the next part of a passage, in the piece as it is by now; `start` prefills what is given of it.

        Raises RequestError where that has no room in the model's window.
        """
        edit = self.request.edit
        assert edit is not None
        self._sum_nll()
        self.opened = edit.open(self._open_count, self.events, self.bundle)
        self.decoder = self.opened.decoder
        part, replaced = self._parts[self._open_count], edit.music.onset[edit.is_replaced]
        self._open_count += 1
        self._take_in(Seam(self.opened.layout.tokens, self.opened.shift))
        if self.leans is not None:
            self.leans.begin(part.start, replaced[(replaced >= part.start) & (replaced < part.end)])

    def _take_in(self, seam: Seam) -> None:
        """Go on from given music, which the decoder has taken."""
        self._seam, self.prompt_tokens = seam, seam.tokens
        self.tokens: list[list[int]] = seam.tokens.tolist()
        # From here on the decoder counts what is composed; the prompt's own notes and time are taken off.
        composed_count = sum(isinstance(event, Note) for event in self.events)
        self._start_clock, self._given_note_count = self.decoder.clock, self.decoder.note_count - composed_count
        self.condition = self._wished_ids()

    @property
    def is_done(self) -> bool:
        """Whether the piece has ended."""
        return self._is_stopped or (self._is_part_over and self._open_count == len(self._parts))

    @property
    def has_next(self) -> bool:
        """Whether a part of a passage is over and `open_next` opens another."""
        return self._is_part_over and self._open_count < len(self._parts)

    @property
    def _is_part_over(self) -> bool:
        """Whether what is open has ended, a part or the piece; where a passage has no parts, all of it has."""
        if self.request.edit is None or self.decoder.is_ended:
            return self.decoder.is_ended
        return not self._parts or self._parts[self._open_count - 1].is_over(self.decoder.clock + self._seam.shift)

    def stop(self) -> None:
        """End with the next note, as if the request had said so; any thread may call it."""
        self._is_stopping = True

    @property
    def note_count(self) -> int:
        """Notes composed so far."""
        return self.decoder.note_count - self._given_note_count

    @property
    def progress(self) -> tuple[float, float]:
        """How much is composed, and of how much: notes or seconds."""
        if self.request.notes is not None:
            return self.note_count, self.request.notes
        seconds, begin, edit = self.request.seconds, self._start_clock, self.request.edit
        if edit is not None:
            seconds, begin = edit.stop - edit.start, edit.start - self._seam.shift
        assert seconds is not None
        done = seconds if self.is_done and not self._is_stopped else max(self.decoder.clock - begin, 0.0)
        return min(done, seconds), seconds

    def noise(self) -> NDArray[np.float32]:
        """Gumbel noise for the next token, float32 [sum V], leaning to what the music shall be."""
        noise = next(self._noise)
        if self.leans is not None:
            written = self.note_count if self.opened is None else self.decoder.note_count
            self.leans.add(noise, self.decoder.clock + self._seam.shift, written)
        return noise

    def _draw_noise(self) -> Iterator[NDArray[np.float32]]:
        while True:
            yield from gumbel(self.rng, NOISE_ROWS * self._noise_width).reshape(NOISE_ROWS, -1)

    def masks(self) -> Masks:
        """What the next token may be: the grammar, less what would go on with a loop or leave the course of music."""
        closes = self.opened is None and self.request.ending
        notes_left = self._notes_left() if closes else MAX_NOTES
        if not self._is_coda_announced and SHORTEST_CODA <= notes_left <= self._coda_at and self.tokens:
            self.decoder.announce_end(notes_left)
            self._is_coda_announced = True
        if self.loop_guard is not None and self.loop_guard.looping_pitch is not None:
            self.decoder.avoid(self.loop_guard.looping_pitch)
            self.interventions["loop"] += 1
        masks = self.decoder.masks()
        return masks if self.course_guard is None else self.course_guard.narrow(masks, self.decoder.clock)

    def _notes_left(self) -> int:
        """Notes still to come; in a piece of so many seconds, at the pace so far."""
        if self.request.notes is not None:
            return self.request.notes - self.note_count
        done, total = self.progress
        if self.note_count < MIN_NOTES_FOR_PACE or not done:
            return MAX_NOTES  # too early to tell: far more than any coda announces
        return round((total - done) * self.note_count / done)

    def conditions(self, ids: ConditionIds) -> NDArray[np.int64] | None:
        """Condition ids of the prompt's tokens, int64 [T, K], where these differ from token to token."""
        return None if self.opened is None else self.opened.layout.conditions(self.bundle.model, ids)

    def next_condition(self, *, is_unconditional: bool) -> ConditionIds:
        """Return the condition ids of the next token, where these change while the piece goes on."""
        ids = self.unconditional if is_unconditional else self._wished_ids()
        return ids if self.opened is None else self.opened.condition(self.bundle.model, ids)

    def _wished_ids(self) -> ConditionIds:
        """The ids of the style and of what is wished for at this moment of the piece."""
        return self._schedule.at(self.decoder.clock + self._seam.shift)

    def push(self, token: list[int], nll: NDArray[np.float32]) -> tuple[list[int], list[Note | Pedal]]:
        """Take the engine's token; return it as it stands in the piece, and the events that it completes."""
        if self.course_guard is not None:
            token = self.course_guard.fit(token, self.decoder.clock)
        token, earlier_count = list(self.decoder.fit(token)), self.note_count
        events = [*self._in_piece(self.decoder.push(token))]
        if self.course_guard is not None:
            self.course_guard.push(token, self.decoder.clock)
        self.tokens.append(token)
        self._unsummed_nll.append(nll.tolist())
        if len(self._unsummed_nll) == TOKENS_SUMMED:
            self._sum_nll()
        for note in (event for event in events if isinstance(event, Note)):
            for listener in (self.loop_guard, self.leans):
                if listener is not None:
                    listener.push(note)
        # With a note and at no other token: so the number of notes alone says where it stopped.
        if self.note_count > earlier_count and (self._is_stopping or self.note_count == self.request.stopped_at):
            self._is_stopped = True
            if self.request.stopped_at != self.note_count:
                self.request = replace(self.request, stopped_at=self.note_count)
        if self.is_done or self.has_next:
            events += self._in_piece(self.decoder.finish())
        self.events += events
        return token, events

    def _in_piece(self, events: Iterable[Note | Pedal]) -> Iterator[Note | Pedal]:
        """What the piece has of what the decoder completed, at its times."""
        for event in map(self._seam.shifted, events):
            if self._parts:
                yield from self._parts[self._open_count - 1].clip(event)
            else:
                yield event

    @property
    def nll(self) -> float:
        """Nats that the composed tokens cost under the model, without the fields that the grammar fixes."""
        self._sum_nll()
        return self._nll

    def _sum_nll(self) -> None:
        if self._unsummed_nll:
            tokens = np.array(self.tokens[-len(self._unsummed_nll) :], dtype=np.uint16)
            self._nll += float(np.array(self._unsummed_nll)[self.codec.loss_mask(tokens)].sum())
            self._unsummed_nll.clear()

    def take(self, seconds_taken: float) -> Take:
        """Return what is composed as a take."""
        prompt, edit = self.request.prompt, self.request.edit
        tokens, given_count = np.array(self.tokens, dtype=np.uint16), len(self.prompt_tokens)
        if edit is not None:
            notes, is_new = edit.join(self.events)
            if edit.parts is not None:  # each was written after other tokens
                tokens, given_count = self.codec.encode(trim(notes)), 0
        else:
            notes = Notes.from_events(self.events) if prompt is None else join_prompt(prompt, self.events)
            is_new = np.arange(len(notes)) >= (0 if prompt is None else len(prompt))
        return Take(
            notes=notes,
            tokens=tokens,
            prompt_token_count=given_count,
            prompt_notes=len(prompt) if prompt is not None else 0,
            request=self.request,
            model=self.bundle.name,
            bundle=self.bundle.fingerprint,
            nll=self.nll / max(int(is_new.sum()), 1),
            seconds_taken=seconds_taken,
            is_new=is_new,
            interventions=dict(self.interventions),
        )


def generate(
    request: Request,
    engine: Engine,
    *,
    progress: Callable[[float, float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Take:
    """Compose the entire piece; `cancelled` is asked before each step and ends it with RequestError."""
    steps = stream(request, engine)
    while True:
        if cancelled is not None and cancelled():
            raise RequestError("composing was cancelled")
        try:
            _, (done, total) = next(steps)
        except StopIteration as finished:
            take: Take = finished.value
            return take
        if progress is not None:
            progress(done, total)


def stream(request: Request, engine: Engine) -> Generator[tuple[list[Note | Pedal], tuple[float, float]], None, Take]:
    """Yield, after every step, what it completed and how far the piece is; the generator's value is the take."""
    require(request, Request, "what is composed is a Request, as in Request(notes=300)")
    require(getattr(engine, "bundle", engine), Bundle, "an engine is what load_engine returns")
    began = time.perf_counter()
    generation = Generation(request, engine.bundle)
    cache, slots = start(generation, engine)
    while not generation.is_done:
        if generation.has_next:
            generation.open_next()
            cache, slots = start(generation, engine)
        ((_, events),) = step(slots, cache, engine)
        yield events, generation.progress
    return generation.take(time.perf_counter() - began)


class Slot(NamedTuple):
    """A slot of an engine's cache.

    `partner` is the slot with the same music in no style, or, where `is_unconditional`, in its style; a generation that
    is not guided is its own partner.
    """

    generation: Generation
    partner: int
    is_unconditional: bool = False

    @property
    def guide(self) -> Guide:
        """What the engine is to make of its partner."""
        if not self.generation.is_guided:
            return Guide(self.partner)
        guidance = self.generation.request.sampling.guidance
        assert guidance is not None  # of a resolved request
        return Guide(self.partner, 1 - guidance if self.is_unconditional else guidance)


def start(generation: Generation, engine: Engine) -> tuple[Cache, list[Slot]]:
    """Prefill a generation's prompt into a cache of its own, of one slot, or two where it is guided."""
    ids, prompt = generation.condition, generation.prompt_tokens
    cache = engine.start_after(ids, prompt, generation.conditions(ids))
    if not generation.is_guided:
        return cache, [Slot(generation, 0)]
    ids = generation.unconditional
    engine.join(cache, engine.start_after(ids, prompt, generation.conditions(ids)))
    return cache, [Slot(generation, 1), Slot(generation, 0, is_unconditional=True)]


def step(slots: Sequence[Slot], cache: Cache, engine: Engine) -> list[tuple[Generation, list[Note | Pedal]]]:
    """Compose one token of every generation; return each with the events that its token completed."""
    inputs: dict[int, tuple[NDArray[np.float32], Masks]] = {}
    for index, slot in enumerate(slots):
        if not slot.is_unconditional:  # its partner has the same noise and masks, and so draws the same token
            inputs[index] = inputs[slot.partner] = slot.generation.noise(), slot.generation.masks()
        if slot.generation.is_changing:
            engine.condition(cache, index, slot.generation.next_condition(is_unconditional=slot.is_unconditional))
    tokens = engine.decode(
        cache,
        np.stack([inputs[index][0] for index in range(len(slots))]),
        [inputs[index][1] for index in range(len(slots))],
        [slot.generation.request.sampling for slot in slots],
        [slot.guide for slot in slots],
    ).tolist()
    completed = []
    for index, slot in enumerate(slots):
        if not slot.is_unconditional:
            token, events = slot.generation.push(tokens[index], cache.nll[index])
            for written in {index, slot.partner}:
                engine.replace_last(cache, written, token)
            completed.append((slot.generation, events))
    return completed

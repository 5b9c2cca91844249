"""What a musician asks for, and what comes back: a request, and the take that answers it.

    request = Request(notes=300, style="Chopin", seed=7)
    Request.from_description(request.describe()) == request

Both are plain values: nothing here composes. A take's MIDI file carries the description of what made it.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import NoneType
from typing import Any, Protocol, TypeVar

from ..codecs.codec import Booleans, Tokens
from ..errors import RequestError, real_number, require, whole_number
from ..model.bundle import Bundle, composer_of
from ..model.conditions import MEASURED
from ..model.config import ANY
from ..model.sampling import MODEL_DEFAULTS, Sampling
from ..music.heading import UNKNOWN, Heading
from ..music.meter import Meter
from ..music.notes import Notes
from ..names import fold_name, same_name
from ..untrusted import parse_object
from .parts import split_passage
from .passage import Edit
from .scores.bars import MAX_SECONDS, count_bars
from .scores.performance import Performance, has_touch
from .scores.pulse import Fit, Pulse
from .wishes import Wishes, describe_wishes, read_wishes

DEFAULT_NOTES = 300  # where neither notes nor seconds are asked for: a minute or two of music
MAX_NOTES = 100_000
MAX_PROMPT_NOTES = 10_000
_MARK = "arietta "  # before the description, in a text of a MIDI file
WISH_GUIDANCE = 4.0  # at 2.5 wishes are heard less (python -m benchmarks.quality.editing wishes)


@dataclass(frozen=True)
class Request:
    """What to compose: `notes` or `seconds` of new music, after `prompt` if there is one, or a `passage` of a piece.

    `style` is a composer, "any" for one that the seed draws where the model has shares of composers, or "none". With
    `stopped_at` composing stops after so many notes of it, as a musician stopped it once. With `ending` the model is
    told when the end is near, so that it closes; without, the music stops as if it went on. `wishes` are as
    `read_wishes` gives them, for a model that knows them. `transposed` says by how many semitones the given music was
    moved before, `meter` which bars it has, those of the take, and `heading` whose it is, which files tell. With a
    `pulse` the best of several takes is kept (`scores.in_time`). Raises RequestError where a value is impossible; what
    depends on the model is checked by `Generation`.
    """

    notes: int | None = None
    seconds: float | None = None
    style: str = ANY
    prompt: Notes | None = field(default=None, repr=False)
    seed: int = 0
    sampling: Sampling = MODEL_DEFAULTS
    stopped_at: int | None = None
    edit: Edit | None = None
    ending: bool = True
    wishes: Wishes = field(default_factory=dict, hash=False)
    transposed: int | None = None
    meter: Meter | None = field(default=None, repr=False)
    pulse: Pulse | None = None
    heading: Heading = field(default=UNKNOWN, repr=False)

    def __post_init__(self) -> None:
        lengths = self.notes, self.seconds, self.edit
        if sum(length is not None for length in lengths) != 1 or (self.edit and self.prompt):
            raise RequestError(
                "say once how long the piece shall be: either a number of notes or of seconds, or a passage of a piece"
            )
        require(self.sampling, Sampling, "sampling is a Sampling, as in Sampling(temperature=0.9)")
        require(self.prompt, (Notes, NoneType), "a prompt is Notes, as read_midi returns them")
        require(self.edit, (Edit, NoneType), "edit is an Edit")
        require(self.ending, bool, "ending is True or False")
        require(self.meter, (Meter, NoneType), "meter is a Meter, as read_meter returns it")
        if isinstance(self.edit, Performance) and "density" in self.wishes:
            raise RequestError("a score has the notes that it has: no density can be wished for")
        self._check_number("notes", whole_number, 1, MAX_NOTES)
        self._check_number("seconds", real_number, 1, int(MAX_SECONDS))
        self._check_number("seed", whole_number, 0, 2**32 - 1)
        self._check_number("stopped_at", whole_number, 1, self.notes or MAX_NOTES)
        if not isinstance(self.style, str):
            raise RequestError(f"a style is the name of a composer, not {self.style!r}")
        self._check_given()

    def _check_given(self) -> None:
        require(self.pulse, (Pulse, NoneType), "pulse is a Pulse, as in Pulse.read(90, '3/4')")
        if self.pulse is not None and (self.prompt is not None or self.edit is not None):
            raise RequestError("a tempo and a metre are for music composed from the beginning: given music has its own")
        if self.prompt is not None and not 1 <= len(self.prompt) <= MAX_PROMPT_NOTES:
            span = f"1 to {MAX_PROMPT_NOTES}"
            raise RequestError(
                f"the prompt has {len(self.prompt)} notes; give {span} (prompt[:40], or --prompt-notes 40)"
            )

    def _check_number(self, name: str, read: Callable[[Any, str], float], least: int, most: int) -> None:
        """Keep a number that was given as Python's own; raises RequestError where it is none, or out of bounds."""
        if getattr(self, name) is None and name != "seed":
            return
        number = read(getattr(self, name), name)
        if not least <= number <= most:
            raise RequestError(f"{name} must lie in {least}-{most}, not {number!r}")
        object.__setattr__(self, name, number)

    @property
    def take_count(self) -> int:
        """How many takes are composed, of which one is kept: one without a `pulse`."""
        return 1 if self.pulse is None else self.pulse.takes

    def describe(self) -> dict[str, Any]:
        """Return what to ask for to get the same piece again, as JSON values; given music is named by its length."""
        values: dict[str, Any] = {"notes": self.notes, "seconds": self.seconds, "style": self.style, "seed": self.seed}
        values |= {"stopped_at": self.stopped_at, "ending": None if self.ending else False}
        values |= {"transposed": self.transposed, **describe_wishes(self.wishes)}
        if self.edit is not None:
            values[self.edit.KIND] = self.edit.describe()
        if self.pulse is not None:
            values |= self.pulse.describe()
            if self.seconds == self.pulse.seconds_composed:
                del values["seconds"]  # they follow from the bars
        prompt = {"prompt_notes": len(self.prompt)} if self.prompt is not None else {}
        return {name: value for name, value in values.items() if value is not None} | self.sampling.describe() | prompt

    @classmethod
    def from_description(
        cls,
        description: Mapping[str, Any],
        prompt: Notes | None = None,
        edit: Edit | None = None,
        meter: Meter | None = None,
    ) -> Request:
        """Read back what `describe` returned, alone or among other values, but for given music and its metre."""
        # Pieces of earlier versions have the wishes among what is told of the passage.
        wishes = {**description.get("passage", {}), **description}
        pulse = Pulse.read(*map(description.get, ("bpm", "metre", "bars", "takes")))
        return cls(
            notes=description.get("notes"),
            seconds=description.get("seconds", pulse and pulse.seconds_composed),
            style=description["style"],
            prompt=prompt if edit is None else None,
            seed=description["seed"],
            sampling=Sampling.from_description(description),
            stopped_at=description.get("stopped_at"),
            ending=description.get("ending", True),
            edit=edit,
            wishes=read_wishes(**{name: wishes[name] for name in MEASURED if name in wishes}),
            transposed=description.get("transposed"),
            meter=meter,
            pulse=pulse,
        )

    def resolve(self, bundle: Bundle) -> Request:
        """Return what a model makes of the request: a composer, all of the sampling, the parts of a long passage.

        The composer has the name that the model knows, and is drawn where no style is asked for and no given music sets
        one. What is resolved stays as it is.
        Raises RequestError where the model does not know the style, or cannot sample as asked, for a passage that is
        too dense, and for a pulse, which no single take has.
        """
        if self.pulse is not None:
            raise RequestError("music in a tempo and a metre is chosen among takes: compose it with generate_in_time")
        style, defaults = self.style, bundle.sampling_defaults
        if same_name(style, ANY) and self.prompt is None and self.edit is None:
            style = defaults.draw_composer(self.seed) or style
        composer = composer_of(style, bundle)
        style = fold_name(style) if composer == ANY else composer  # however it was typed
        guidance = defaults.guidance.get(composer)
        usual = replace(defaults.sampling, **({} if guidance is None else {"guidance": guidance}))
        is_played = isinstance(self.edit, Performance) and has_touch(bundle)
        if is_played:
            usual = replace(defaults.in_performances(usual, bundle.sampled_fields), guidance=1.0)
        if self.wishes:
            usual = replace(usual, guidance=max(WISH_GUIDANCE, usual.guidance or 1.0))
        if self.edit is not None and not is_played:
            usual = defaults.in_passages(usual, bundle.sampled_fields)
        edit = None if self.edit is None else split_passage(self.edit, bundle.model.context)
        sampling = self.sampling.resolve(usual, bundle.sampled_fields)
        resolved = replace(self, style=style, sampling=sampling, edit=edit)
        return self if resolved == self else resolved

    def title(self, model: str) -> str:
        """Name a take of this request by a model, so that names sort by model, style and length.

        For example concert-franz-liszt-0300-notes-seed-7, and concert-franz-liszt-0120-of-0300-notes-seed-7 if stopped.
        What goes on from given music, or is a passage of it, names a composer only where one was asked for.
        """
        length = f"{self.notes:04d}-notes" if self.notes is not None else f"{round(self.seconds or 0, 2):g}-seconds"
        if self.seconds is not None and self.prompt is not None and self.meter is not None:
            bars = count_bars(self.seconds, self.prompt, self.meter)
            length = length if bars is None else f"{bars:04d}-bars"
        if self.stopped_at is not None:
            length = f"{self.stopped_at:04d}-{'' if self.notes is not None else 'notes-'}of-{length}"
        if self.edit is not None:
            length = self.edit.title
        elif self.pulse is not None:
            length = self.pulse.title(length)
        is_free = self.prompt is None and self.edit is None
        named = self.style if is_free or not same_name(self.style, ANY) else ""
        style = re.findall(r"\w+", fold_name(named))  # a style may hold a slash, as arrangements do
        return "-".join([model, *style, length, "seed", str(self.seed)])


@dataclass(frozen=True, repr=False)
class Take:
    """A finished piece with its request and the model that composed it.

    `tokens` uint16 [T, F] begin with `prompt_token_count` of the prompt, `notes` with the prompt's own, untouched; of
    a passage they are its layout, and `is_new` bool [N] says which notes were composed. `nll` is the mean over the
    composed notes under the model, in nats per note; `nats`, where they were measured, are means per token over the
    passage, over what follows it, and over both. `interventions` says how often the guards of composing stepped in, by
    what they are against: loop, silence, speed, staccato, monotony. `fit` tells how music fits the pulse asked for.
    """

    notes: Notes
    tokens: Tokens = field(compare=False)  # the rest tells takes apart, and arrays have no truth of their own
    prompt_token_count: int
    prompt_notes: int
    request: Request
    model: str
    bundle: str
    nll: float
    seconds_taken: float = field(compare=False)
    is_new: Booleans = field(compare=False)
    nats: tuple[float, float, float] | None = None
    interventions: Mapping[str, int] = field(default_factory=dict)
    fit: Fit | None = None

    @property
    def note_count(self) -> int:
        """Number of composed notes, without those that were given."""
        return int(self.is_new.sum())

    @property
    def prompt_seconds(self) -> float:
        """Time of the prompt's last onset; 0 without a prompt."""
        return float(self.request.prompt.onset.max()) if self.request.prompt is not None else 0.0

    @property
    def meter(self) -> Meter | None:
        """The bars that the piece has from the music that was given, None where they are not known."""
        return self.request.meter

    def describe(self) -> dict[str, Any]:
        """Return what made this take, as JSON values: the request, the model and its fingerprint."""
        return {"model": self.model, "bundle": self.bundle} | self.request.describe()

    @property
    def title(self) -> str:
        """The name that the piece has unless it is given another."""
        return self.request.title(self.model)

    def __repr__(self) -> str:
        return f"Take({self.title}: {self.notes!r}, {self.nll:.2f} nats per note)"

    def _repr_html_(self) -> str:
        """Show the piece in a notebook: its roll, and a player of its sound."""
        from ..render.playback import music_html

        return music_html(self.notes, title=self.title, prompt_seconds=self.prompt_seconds)

    def save(self, path: str | Path, *, grid: Meter | float | str | None = None) -> None:
        """Write the piece as the ending of `path` says: MIDI that carries its request, sound, a score or a picture.

        `grid` lays a MIDI file under a metre, or a tempo in beats a minute, 0 for none, or "found": the bars found in
        the playing, where they are sure; without it the bars of `meter` are kept. The seconds stay what they are.
        Raises MidiError or RequestError where that fails.
        """
        from ..music.beats import choose_grid
        from ..render.formats import save_music

        save_music(
            path,
            self.notes,
            title=self.heading._replace(title=self.heading.title or self.title),
            texts=self.texts(),
            prompt_seconds=self.prompt_seconds,
            grid=choose_grid(self.notes, grid, self.meter),
        )

    def to_bytes(self, kind: str = "mid", *, grid: Meter | float | str | None = None) -> bytes:
        """Return the file that `save` writes, by its ending, such as mid or wav; raises as that does."""
        from ..render.formats import saved_bytes

        return saved_bytes(lambda path: self.save(path, grid=grid), kind)

    def play(self) -> None:
        """Play the piece through the system's player and return at its end; raises RequestError where there is none."""
        from ..render.playback import play_music

        play_music(self.notes)

    @property
    def heading(self) -> Heading:
        """Title and composer of a score that is played; music that is made of one another way has none."""
        return self.request.heading if isinstance(self.request.edit, Performance) else UNKNOWN

    def texts(self) -> list[str]:
        """What goes into the MIDI file's text events."""
        source = [] if isinstance(self.request.edit, Performance) else self.request.heading.source_texts
        return [*midi_texts(self.describe()), *source]


def midi_texts(description: Mapping[str, Any]) -> list[str]:
    """Return the text events of the MIDI file of a take with this description."""
    return [_MARK + json.dumps(description, sort_keys=True)]


def read_request_text(texts: Iterable[str]) -> dict[str, Any]:
    """Find the description that `midi_texts` wrote among a file's texts; what is none is passed over."""
    for text in texts:
        if text.startswith(_MARK):
            with suppress(ValueError):
                return parse_object(text.removeprefix(_MARK))
    return {}


def draw_seed() -> int:
    """A seed for a request that names none: six digits, easy to write down."""
    return secrets.randbelow(1_000_000)


class Likely(Protocol):
    """What takes are put in order by, composed here or fetched from a server."""

    @property
    def request(self) -> Request: ...
    @property
    def nll(self) -> float: ...
    @property
    def nats(self) -> tuple[float, float, float] | None: ...


AnyTake = TypeVar("AnyTake", bound=Likely)


def likelihood_key(nats: float | None, nll: float, seed: int) -> tuple[float, int]:
    """Return what sorts takes, the likeliest first.

    `nats` are those per token of a passage and what follows it, `nll` those per note where there is no passage.
    """
    return (nll if nats is None else nats), seed


def likeliest_first(takes: Iterable[AnyTake]) -> list[AnyTake]:
    """Sort takes by their `likelihood_key`."""
    return sorted(takes, key=lambda take: likelihood_key(take.nats and take.nats[2], take.nll, take.request.seed))

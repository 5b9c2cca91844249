"""What a musician asks of a piece there is: regenerate, extend, lead in, connect, accompany, vary, perform.

    take = regenerate("piece.mid", 12.0, 20.0, keep="right", seed=7)[0]
    take.notes      # the whole piece, in which take.is_new marks what was composed

No verb changes a note that it was not asked to, and a seed fixes what it gives. Music is anything that `as_notes`
reads, times are seconds, texts such as "0:12.5", or "bar 9" where the music has a metre, which takes then keep;
`model` is a model's name or folder, or an engine. All take `n`,
`seed`, `model`, `progress` and wishes: `style`, `density`, `loudness` and `key` as `generation.wishes` reads them, and
`guidance` for all of these. With `transpose` the music is first moved into that `key`; `take.request.transposed` says
by how many semitones. Of several takes the likeliest comes first: `take.nats` has the model's mean nats per token, in
plain order, of the passage and of the 64 tokens after it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import NoneType
from typing import Any, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from ..codecs.codec import Booleans
from ..codecs.grid import STEPS_PER_SECOND, TIME_STEPS
from ..errors import NUMBER, RequestError, require, whole_number
from ..model.bundle import Bundle, condition_of
from ..model.config import ANY
from ..model.engine import Engine, shared_engine
from ..model.sampling import Sampling
from ..music.heading import Heading
from ..music.meter import Meter
from ..music.notes import Notes, beginning, join, select, shift, trim
from ..music.times import read_time
from ..render.score.hands import split_hands
from .batch import generate_all
from .conversion import as_piece, take_in
from .given import find_outer_line
from .parts import draw_phrases
from .passage import CONTEXT, Edit
from .request import DEFAULT_NOTES, Request, Take, draw_seed, likeliest_first
from .scores.bars import Time, choose_length, read_moment
from .scores.performance import Performance
from .wishes import read_wishes

Progress = Callable[[float, float], None]
Keep = str | tuple[int, int] | Sequence[int] | NDArray[np.bool_ | np.integer[Any]] | None
HANDS_AROUND = 10.0  # seconds on each side of a passage from which it is seen which hand plays what
CHORD_SECONDS = 0.03  # notes nearer than this are struck together
NATS_AFTER = 64  # tokens after a passage by whose likelihood takes are ranked


class VerbOptions(TypedDict, total=False):
    """What every verb may be asked beside its own; None is as what is not said."""

    n: int  # how many takes, with seeds counted up
    seed: int | None
    model: str | Path | Engine | None  # a name, a folder or an engine
    progress: Progress | None
    style: str | None
    density: Any  # wishes, as `generation.wishes` reads them
    loudness: Any
    key: Any
    transpose: bool
    guidance: float | None


def regenerate(
    music: Any, start: Time, stop: Time, *, keep: Keep = None, keep_pedal: bool = False, **asked: Unpack[VerbOptions]
) -> list[Take]:
    """Write anew what begins at `start` <= t < `stop`, but for the notes to `keep`.

    `keep`: "left" or "right" hand, "top", "bottom", "all", a range of pitches, (48, 60) or "48-60", or a list of
    indices of notes. Raises RequestError for a passage outside the piece, and for all of it: that is composing.
    """
    wanted = dict[str, Any](asked)
    notes = _read(music, wanted)
    start, stop = (read_moment(time, notes.seconds, wanted["meter"]) for time in (start, stop))
    return _write(passage_edit(notes, start, stop, keep=keep, keep_pedal=keep_pedal), **wanted)


def extend(
    music: Any,
    at: Time | None = None,
    *,
    notes: int | None = None,
    seconds: Time | None = None,
    bars: int | None = None,
    **asked: Unpack[VerbOptions],
) -> list[Take]:
    """Go on from `at`, where the piece is cut, or from its end, by `notes`, `seconds` or `bars`; else by 300 notes.

    Bars are those of the metre that `music` has; what is written ends on a bar line.
    """
    wanted = dict[str, Any](asked)
    whole = _read(music, wanted)
    at = None if at is None else read_moment(at, whole.seconds, wanted["meter"])
    prompt, seconds = cut_at(whole, at), None if seconds is None else read_time(seconds)
    notes, seconds = choose_length(notes, seconds, bars, given=(prompt, wanted["meter"]), at=at, usual=DEFAULT_NOTES)
    engine, seeds, progress, settings = _settings(**wanted)
    requests = [Request(notes, seconds, prompt=prompt, seed=seed, **settings) for seed in seeds]
    return likeliest_first(generate_all(requests, engine, progress=progress))


def lead_in(music: Any, seconds: Time, **asked: Unpack[VerbOptions]) -> list[Take]:
    """Write `seconds` of music that lead into a piece."""
    wanted = dict[str, Any](asked)
    notes = _read(music, wanted)
    wanted["meter"] = lead_in_meter(notes, wanted["meter"], seconds)
    return _write(lead_in_edit(notes, seconds), **wanted)


def connect(first: Any, second: Any, seconds: Time, **asked: Unpack[VerbOptions]) -> list[Take]:
    """Write the `seconds` between the last release of one piece and the beginning of another; neither is transposed."""
    if asked.get("transpose"):
        raise RequestError("connect leaves both pieces as they are: transpose them before")
    wanted, after = dict[str, Any](asked), dict[str, Any]()
    edit = connection_edit(_read(first, wanted), _read(second, after), seconds)
    headings = zip(wanted["heading"], after["heading"], strict=True)
    wanted["heading"] = Heading(*(" / ".join(dict.fromkeys(filter(None, both))) for both in headings))
    return _write(edit, **wanted)


def accompany(music: Any, *, keep: Keep = "all", keep_pedal: bool = False, **asked: Unpack[VerbOptions]) -> list[Take]:
    """Write what goes with the notes to `keep`, to the last release of the piece; its other notes go."""
    wanted = dict[str, Any](asked)
    edit = accompaniment_edit(_read(music, wanted), keep=keep, keep_pedal=keep_pedal)
    return _write(edit, **wanted)


def vary(
    music: Any,
    strength: float,
    start: Time = 0.0,
    stop: Time | None = None,
    *,
    keep: Keep = None,
    keep_pedal: bool = False,
    **asked: Unpack[VerbOptions],
) -> list[Take]:
    """Write phrases anew under their top line; `strength` 0 is the piece, at 1 all phrases are new and no line is kept.

    Up to 0.5 more and more phrases are new; the line is let go in proportion to the strength. With `start` and `stop`
    only what begins between them is varied.
    """
    wanted = dict[str, Any](asked)
    notes = _read(music, wanted)
    start = read_moment(start, notes.seconds, wanted["meter"])
    stop = notes.seconds if stop is None else read_moment(stop, notes.seconds, wanted["meter"])

    def edit(seed: int) -> Edit:
        return variation_edit(notes, strength, seed, (start, stop), keep=keep, keep_pedal=keep_pedal)

    return _write(edit, **wanted)


def perform(score: Any, **asked: Unpack[VerbOptions]) -> list[Take]:
    """Play a written score with touch: times, lengths, loudness and pedal are a player's, and each note comes once.

    The score is MIDI, MusicXML or Notes. Its tempo is kept: a note comes within 40 ms of its written time, and nearer
    than half a written step where that is 40 ms or more. What it says of loudness and pedal is not read, two voices on
    one key at once are one note, and no `density` may be wished for. Raises RequestError for a score with no notes,
    too many or some outside the 88 keys, and for a model that plays no scores.
    """
    wanted = dict[str, Any](asked)
    performance = Performance.of(_read(score, wanted))
    engine, seeds, progress, settings = _settings(**wanted)
    requests = [Request(edit=performance, seed=seed, **settings) for seed in seeds]
    return likeliest_first(generate_all(requests, engine, progress=progress))


def passage_edit(notes: Notes, start: float, stop: float, *, keep: Keep = None, keep_pedal: bool = False) -> Edit:
    """Return the edit of `regenerate`, and raise what it raises."""
    start, stop = _checked_passage(notes, start, stop)
    edit = Edit(notes, start, stop, find_kept(notes, start, stop, keep), keep_pedal)
    if edit.is_replaced.all():
        raise RequestError(
            "nothing of the piece would be left: choose less of it or notes to keep, or compose a new one instead"
        )
    return edit


def lead_in_edit(notes: Notes, seconds: Time) -> Edit:
    """Return the edit of `lead_in`, in the piece that begins so much later."""
    seconds = _checked(seconds)
    return Edit(shift(trim(notes), seconds), 0.0, seconds)


def lead_in_meter(notes: Notes, meter: Meter | None, seconds: Time) -> Meter | None:
    """Return the metre of a piece, where `lead_in` moves its notes."""
    return meter and meter.shifted(_checked(seconds) - beginning(notes)).from_zero()


def connection_edit(before: Notes, after: Notes, seconds: Time) -> Edit:
    """Return the edit of `connect`, in the two pieces side by side."""
    seconds = _checked(seconds)
    joined = join(before, trim(after), seconds)
    return Edit(joined, before.seconds, before.seconds + seconds)


def accompaniment_edit(notes: Notes, *, keep: Keep = "all", keep_pedal: bool = False) -> Edit:
    """Return the edit of `accompany`, in the notes that stay; raises RequestError where none does."""
    is_kept = find_kept(notes, 0.0, notes.seconds, keep)
    if not is_kept.any():
        raise RequestError("there is nothing to accompany: no note is kept; choose others with keep")
    notes = select(notes, is_kept)
    return Edit(notes, 0.0, notes.seconds, np.ones(len(notes), dtype=np.bool_), keep_pedal, leads_back=False)


def variation_edit(
    notes: Notes,
    strength: float,
    seed: int,
    span: tuple[float, float | None] = (0.0, None),
    *,
    keep: Keep = None,
    keep_pedal: bool = False,
) -> Edit:
    """Return the edit of `vary` for a take's seed, and raise what it raises; `span` is the passage, None its end.

    Which phrases are new, and which notes of the line are kept, the seed draws.
    """
    require(strength, NUMBER, "strength lies in 0-1")
    if not 0 <= strength <= 1:
        raise RequestError(f"strength lies in 0-1, not {strength:g}")
    start, stop = _checked_passage(notes, span[0], notes.seconds if span[1] is None else span[1])
    rng = np.random.default_rng((seed, len(notes)))
    parts = draw_phrases(notes, start, stop, 2 * strength, rng)
    is_line = find_kept(notes, start, stop, "top") & (rng.random(len(notes)) >= strength)
    is_kept = is_line | find_kept(notes, start, stop, keep)
    return Edit(notes, start, stop, is_kept, keep_pedal, parts=parts)


def cut_at(notes: Notes, second: float | None) -> Notes:
    """Return what of a piece begins before a second, its keys released by then; all of it for None."""
    if second is None:
        return notes
    if second > notes.seconds:
        raise RequestError(f"the music has {notes.seconds:g} s: it cannot be cut at {second:g} s, to go on from there")
    cut = notes.between(0.0, second)
    if not len(cut):
        raise RequestError(f"no note begins before {second:g} s, where the piece is cut: choose a later moment")
    duration = np.where(cut.release <= second, cut.duration, second - cut.onset)
    return Notes.of(cut.onset, duration, cut.pitch, cut.velocity, cut.pedal)


def score_passage(take: Take, engine: Engine) -> Take:
    """Score the passage of a take and what follows it, as plain music in its style."""
    edit, codec = take.request.edit, engine.bundle.codec
    assert edit is not None
    begins = [edit.start, *take.notes.onset[:1], *take.notes.pedal[:1, 0]]
    origin = float(min(begins))
    tokens = codec.encode(shift(take.notes, -origin))
    second = TIME_STEPS[tokens[:, 0]].cumsum() / STEPS_PER_SECOND + origin
    first, stop = np.searchsorted(second, [edit.start, edit.stop]).tolist()
    window = slice(max(first - CONTEXT, 0), stop + NATS_AFTER)
    nll = engine.score(tokens[window], condition_of(take.request.style, engine.bundle)) * codec.loss_mask(
        tokens[window]
    )
    per_token = nll.sum(axis=1)
    first, stop = first - window.start, stop - window.start
    means = [float(part.mean()) if len(part) else 0.0 for part in (per_token[first:stop], per_token[stop:])]
    return replace(take, nats=(means[0], means[1], float(per_token[first:].mean()) if first < len(per_token) else 0.0))


def read_keep(text: str | None) -> Keep:
    """Read notes to keep as they are typed: numbers of notes as 0,4,7, or what `find_kept` knows by a word."""
    if text is None or not re.fullmatch(r"\d+(,\d+)*", text):
        return text
    return [int(number) for number in text.split(",")]


def find_kept(notes: Notes, start: float, stop: float, keep: Keep) -> Booleans:
    """Say which notes of a passage stay, bool [N]; raises RequestError where `keep` says nothing that is known."""
    inside = (notes.onset >= start) & (notes.onset < stop)
    if keep is None:
        return np.zeros(len(notes), dtype=np.bool_)
    if isinstance(keep, str) and (pitches := re.fullmatch(r"(\d+)-(\d+)", keep)):
        keep = int(pitches[1]), int(pitches[2])
    if isinstance(keep, tuple):
        if keep[0] > keep[1]:
            raise RequestError(f"pitches to keep go from the lowest to the highest, not from {keep[0]} to {keep[1]}")
        return np.asarray(inside & (notes.pitch >= keep[0]) & (notes.pitch <= keep[1]))
    require(
        keep, (str, Sequence, np.ndarray), "notes to keep are left, right, top, bottom, all, pitches or a list of notes"
    )
    if not isinstance(keep, str):
        return inside & np.isin(np.arange(len(notes)), _numbers_of(keep, len(notes)))
    if keep in ("top", "bottom"):
        is_kept = np.zeros(len(notes), dtype=np.bool_)
        line = find_outer_line(notes.pitch[inside], notes.onset[inside], CHORD_SECONDS, is_top=keep == "top")
        is_kept[inside] = line
        return is_kept
    if keep in ("left", "right"):
        around = (notes.onset >= start - HANDS_AROUND) & (notes.onset < stop + HANDS_AROUND)
        is_hand = np.zeros(len(notes), dtype=np.bool_)
        is_hand[around] = split_hands(select(notes, around)) == (keep == "right")
        return inside & is_hand
    if keep != "all":
        raise RequestError(
            f"keep {keep[:40]!r} is unknown; choose left, right, top, bottom, all, pitches as 48-60, or a list of notes"
        )
    return inside


def _numbers_of(keep: Sequence[int] | NDArray[Any], count: int) -> list[int]:
    """The numbers of those of `count` notes that a list, an array or a mask keeps; raises RequestError for others."""
    if isinstance(keep, np.ndarray) and keep.dtype == np.bool_:
        if keep.shape != (count,):
            raise RequestError(f"a mask of notes to keep has as many values as notes, {count}, not {keep.size}")
        keep = np.flatnonzero(keep)
    numbers = [whole_number(index, "the number of a note to keep") for index in keep]
    if wrong := [index for index in numbers if not 0 <= index < count]:
        raise RequestError(f"notes to keep are numbered 0-{count - 1}, not {wrong[0]}")
    return numbers


def _read(music: Any, asked: dict[str, Any]) -> Notes:
    """The notes of some music, in the key that is `asked` for where it shall be transposed; refuses empty music.

    The interval then stands in `asked` in place of `transpose`, and beside it metre and heading of the music.
    """
    if given_names := {"meter", "transposed", "heading"} & set(asked):
        raise _unknown(given_names)
    given = as_piece(music)
    if not len(given.notes):
        raise RequestError("the music that was given has no notes: give music that has some")
    transpose = asked.pop("transpose", False)
    notes, asked["meter"], asked["transposed"] = take_in(given, asked.get("key"), transpose=transpose)
    asked["heading"] = given.heading
    assert notes is not None
    return notes


def _checked(seconds: Time) -> float:
    seconds = read_time(seconds)
    if not 1 <= seconds <= 60:
        raise RequestError(f"seconds lie in 1-60, not {seconds:g}")
    return seconds


def _checked_passage(notes: Notes, start: float, stop: float) -> tuple[float, float]:
    """The beginning and the end of a passage, within the piece; raises RequestError where it has none of it."""
    for second in (start, stop):
        require(second, NUMBER, 'a time is a number of seconds, or a text such as "0:12.5"')
    if start >= stop:
        raise RequestError(f"a passage ends after it begins: not at {stop:g} s where it begins at {start:g} s")
    if not 0 <= start < notes.seconds:
        raise RequestError(f"the passage {start:g}-{stop:g} s lies outside the piece, which has {notes.seconds:g} s")
    return start, min(stop, notes.seconds)


def _unknown(names: set[str]) -> TypeError:
    known = "n, style, guidance, seed, model, progress, density, loudness, key and transpose"
    return TypeError(f"verbs have no argument {min(names)!r}; all have {known}")


def _settings(
    *,
    n: int = 1,
    style: str | None = None,
    guidance: float | None = None,
    seed: int | None = None,
    model: Any = None,
    progress: Progress | None = None,
    **wishes: Any,
) -> tuple[Engine, Sequence[int], Progress | None, dict[str, Any]]:
    """The engine, the seeds and the listener that a verb was asked to use, and the rest of its requests."""
    given: dict[str, Any] = {name: wishes.pop(name) for name in ("transposed", "meter", "heading") if name in wishes}
    if unknown := set(wishes) - {"density", "loudness", "key"}:
        raise _unknown(unknown)
    require(getattr(model, "bundle", model), (str, Path, NoneType, Bundle), "model is a name, a folder or an engine")
    engine = (
        shared_engine(None if model is None else str(model))
        if model is None or isinstance(model, str | Path)
        else model
    )
    settings: dict[str, Any] = {
        "style": ANY if style is None else style,
        "sampling": Sampling(guidance=guidance),
        "wishes": read_wishes(**wishes),
        **given,
    }
    seed = draw_seed() if seed is None else seed
    n, seed = whole_number(n, "n"), whole_number(seed, "seed")
    if n < 1:
        raise RequestError(f"n is how many takes to write, 1 or more, not {n}")
    return engine, range(seed, seed + n), progress, settings


def _write(edit: Edit | Callable[[int], Edit], **asked: Any) -> list[Take]:
    """Write a passage once or more; `edit` may depend on a take's seed."""
    engine, seeds, progress, settings = _settings(**asked)
    requests = [Request(edit=edit if isinstance(edit, Edit) else edit(seed), seed=seed, **settings) for seed in seeds]
    takes = generate_all(requests, engine, progress=progress)
    return likeliest_first([score_passage(take, engine) for take in takes])

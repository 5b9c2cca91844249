"""What the client may be asked for a piece: the arguments of `arietta.compose`, made into a request."""

from __future__ import annotations

from dataclasses import replace
from types import NoneType
from typing import TYPE_CHECKING, Any, TypedDict

from ..errors import RequestError, require
from ..model.sampling import MODEL_DEFAULTS, Sampling, Setting
from ..names import suggest
from .music import is_stored

if TYPE_CHECKING:
    from ..generation.request import Request


class ComposeOptions(TypedDict, total=False):
    """Options of a piece beside its number of notes, as `arietta.compose` has them; None is as what is not said."""

    seconds: float | None
    bars: int | None
    bpm: float | None
    metre: str | None
    style: str | None
    prompt: Any  # what `as_notes` reads
    model: str | None
    seed: int | None
    sampling: Sampling | None
    temperature: Setting  # these four go before those of `sampling`
    top_p: Setting
    min_p: Setting
    guidance: float | None
    ending: bool
    original: bool
    density: Any  # wishes, as `generation.wishes` reads them
    loudness: Any
    key: Any
    transpose: bool


def make_request(notes: int | None, options: ComposeOptions) -> Request:
    """Return the request of a piece, with a seed that is drawn where none is said; raises RequestError, TypeError."""
    from ..generation.conversion import as_piece, take_in
    from ..generation.request import DEFAULT_NOTES, Request, draw_seed
    from ..generation.scores.pulse import Pulse, find_length
    from ..generation.wishes import read_wishes
    from ..model.config import ANY
    from ..music.heading import UNKNOWN

    if unknown := sorted(set(options) - set(ComposeOptions.__annotations__)):
        known = ", ".join(ComposeOptions.__annotations__)
        raise TypeError(
            f"compose has no argument {unknown[0]!r}{suggest(unknown[0], ComposeOptions.__annotations__)}, only {known}"
        )
    if is_stored(given := options.get("prompt")):
        raise RequestError(f"{given} is a stored piece: client.extend({given!r}, bars=8) goes on from it")
    sampling = options.get("sampling")
    require(sampling, (Sampling, NoneType), "sampling is a Sampling, as in Sampling(temperature=0.9)")
    piece = None if given is None else as_piece(given)
    prompt, meter, semitones = take_in(piece, options.get("key"), transpose=options.get("transpose", False))
    seed, style = options.get("seed"), options.get("style")
    pulse = Pulse.read(options.get("bpm"), options.get("metre"), options.get("bars"))
    length, original = (notes, options.get("seconds"), options.get("bars")), options.get("original", False)
    notes, seconds = find_length(pulse, length, given=(prompt, meter), usual=DEFAULT_NOTES, original=original)
    settings: dict[str, Any] = {name: options.get(name) for name in ("temperature", "top_p", "min_p", "guidance")}
    chosen = {name: value for name, value in settings.items() if value is not None}
    return Request(
        notes=notes,
        seconds=seconds,
        style=ANY if style is None else style,
        prompt=prompt,
        seed=draw_seed() if seed is None else seed,
        sampling=replace(sampling or MODEL_DEFAULTS, **chosen),
        ending=options.get("ending", True),
        wishes=read_wishes(**{name: options.get(name) for name in ("density", "loudness", "key")}),
        transposed=semitones,
        meter=meter,
        pulse=pulse,
        heading=UNKNOWN if piece is None else piece.heading,
    )

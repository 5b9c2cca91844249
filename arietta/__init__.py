"""Arietta composes expressive piano music as MIDI.

    import arietta
    take = arietta.compose(notes=300, style="Chopin", seed=7)
    take.save("piece.mid")

Importing is light: models, ONNX Runtime and the MIDI reader are loaded when they are first used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from importlib import import_module
from types import NoneType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Never

    from .cli.progress import progress_bar
    from .client import Client
    from .errors import (
        AriettaError,
        BundleError,
        CodecError,
        ConfigError,
        CorpusError,
        FetchError,
        HistoryError,
        MidiError,
        RequestError,
        ScoreError,
    )
    from .generation.conversion import as_notes, convert
    from .generation.loop import stream
    from .generation.passage import Edit
    from .generation.request import Request, Take
    from .generation.verbs import accompany, connect, extend, lead_in, perform, regenerate, vary
    from .model.bundle import Bundle, list_bundles, load_bundle
    from .model.engine import OnnxEngine, load_engine
    from .model.sampling import Sampling, Setting
    from .music.midi import read_midi, write_midi
    from .music.notes import Note, Notes, Pedal

__version__ = "0.2.0"
__all__ = [
    "AriettaError",
    "Bundle",
    "BundleError",
    "Client",
    "CodecError",
    "ConfigError",
    "CorpusError",
    "Edit",
    "FetchError",
    "HistoryError",
    "MidiError",
    "Note",
    "Notes",
    "Pedal",
    "Request",
    "RequestError",
    "Sampling",
    "ScoreError",
    "Take",
    "accompany",
    "as_notes",
    "compose",
    "connect",
    "convert",
    "extend",
    "lead_in",
    "list_bundles",
    "load_bundle",
    "load_engine",
    "perform",
    "progress_bar",
    "read_midi",
    "regenerate",
    "stream",
    "vary",
    "write_midi",
]

_HOMES = {
    "cli.progress": ("progress_bar",),
    "client": ("Client",),
    "errors": (
        "AriettaError",
        "BundleError",
        "CodecError",
        "ConfigError",
        "CorpusError",
        "FetchError",
        "HistoryError",
        "MidiError",
        "RequestError",
        "ScoreError",
    ),
    "generation.conversion": ("as_notes", "convert"),
    "generation.loop": ("stream",),
    "generation.passage": ("Edit",),
    "generation.request": ("Request", "Take"),
    "generation.verbs": ("accompany", "connect", "extend", "lead_in", "perform", "regenerate", "vary"),
    "model.bundle": ("Bundle", "list_bundles", "load_bundle"),
    "model.engine": ("load_engine",),
    "model.sampling": ("Sampling",),
    "music.midi": ("read_midi", "write_midi"),
    "music.notes": ("Note", "Notes", "Pedal"),
}


def compose(
    notes: int | None = None,
    *,
    seconds: float | None = None,
    bars: int | None = None,
    bpm: float | None = None,
    metre: str | None = None,
    style: str | None = None,
    prompt: Any = None,
    model: str | Path | None = None,
    seed: int | None = None,
    temperature: Setting = None,
    top_p: Setting = None,
    min_p: Setting = None,
    guidance: float | None = None,
    sampling: Sampling | None = None,
    density: Any = None,
    loudness: Any = None,
    key: Any = None,
    transpose: bool = False,
    ending: bool = True,
    original: bool = False,
    progress: Callable[[float, float], None] | None = None,
    **unknown: Never,
) -> Take:
    """Compose `notes` notes (300 if no length is given), `seconds` or `bars` of music, after `prompt` if there is one.

    Bars are those of the prompt's metre, which its file sets; the take keeps them, and ends on a bar line. With `bpm`
    and `metre`, such as 90 and "3/4", the best fitting of eight takes is stretched to that tempo: `take.fit` says how
    well it fits, and its bars are written where they are sure. So many `bars` of it are cut without an ending.
    `prompt` is music or where it stands: Notes, a take, a MIDI file, an object of another library (`as_notes`). `style`
    is a composer the model knows; `model` a model's name or folder; without `seed` one is drawn and stands in the
    take's request. `temperature`, `top_p`, `min_p` and `guidance` go before those of `sampling`; what neither says is
    as the model has it. `density` (notes per second), `loudness` (mean velocity, or "pp" to "ff") and `key` ("C minor")
    are wishes; they change with time as "40@0:00,90@0:30" or [[0, 40], [30, 90]]. `transpose` first moves the prompt
    into `key`, and the take's request says by how many semitones. Without `ending` the music stops as if it went on.
    `original` composes again, with a later seed, what shares more with the model's training music than works of people
    do. `progress` is called with how much is composed, and of how much. Raises RequestError, MidiError or BundleError.
    """
    from .errors import require
    from .generation.conversion import as_piece, take_in
    from .generation.request import DEFAULT_NOTES, Request, draw_seed
    from .generation.scores.pulse import Pulse, find_length
    from .generation.wishes import read_wishes
    from .model.config import ANY
    from .model.sampling import MODEL_DEFAULTS, Sampling
    from .music.heading import UNKNOWN

    _refuse(unknown)
    require(sampling, (Sampling, NoneType), "sampling is a Sampling, as in Sampling(temperature=0.9)")
    require(progress, (Callable, NoneType), "progress is a function of how much is done, and of how much")
    require(original, bool, "original is True or False")
    piece = None if prompt is None else as_piece(prompt)
    given, meter, semitones = take_in(piece, key, transpose=transpose)
    pulse = Pulse.read(bpm, metre, bars)
    length = notes, seconds, bars
    notes, seconds = find_length(pulse, length, given=(given, meter), usual=DEFAULT_NOTES, original=original)
    settings: dict[str, Any] = {"temperature": temperature, "top_p": top_p, "min_p": min_p, "guidance": guidance}
    chosen = {name: value for name, value in settings.items() if value is not None}
    request = Request(
        notes=notes,
        seconds=seconds,
        style=ANY if style is None else style,
        prompt=given,
        seed=draw_seed() if seed is None else seed,
        ending=ending,
        sampling=replace(sampling or MODEL_DEFAULTS, **chosen),
        wishes=read_wishes(density=density, loudness=loudness, key=key),
        transposed=semitones,
        meter=meter,
        pulse=pulse,
        heading=UNKNOWN if piece is None else piece.heading,
    )
    return _generate(request, _engine(None if model is None else str(model)), progress, original=original)


def _refuse(unknown: Mapping[str, object]) -> None:
    """Raise TypeError for arguments that `compose` does not have, with the one that may be meant."""
    from .names import suggest

    for name in unknown:
        known = ("notes", *(compose.__kwdefaults__ or ()))
        raise TypeError(f"compose has no argument {name!r}{suggest(name, known)}")


def _generate(
    request: Request, engine: OnnxEngine, progress: Callable[[float, float], None] | None, *, original: bool
) -> Take:
    from .generation.original import require_index
    from .generation.scores.takes import generate_takes

    index = require_index(engine.bundle) if original else None
    return next(generate_takes([request], engine, index=index, progress=progress))[0]


@lru_cache(maxsize=4)
def _engine(model: str | None) -> OnnxEngine:
    from .model.engine import shared_engine

    return shared_engine(model)


def __dir__() -> list[str]:
    """List the public names alone, those too that are not loaded yet: what completion and `help` show."""
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f".{module}", __name__), name)
    raise AttributeError(f"module 'arietta' has no attribute {name!r}")

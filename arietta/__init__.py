"""Arietta composes expressive piano music as MIDI.

    import arietta
    take = arietta.compose(notes=300, style="Chopin", seed=7)
    take.save("piece.mid")

Importing is light: models, ONNX Runtime and the MIDI reader are loaded when they are first used.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .client import Client
    from .generation.loop import stream
    from .generation.request import Request, Take
    from .model.bundle import Bundle, list_bundles, load_bundle
    from .model.engine import OnnxEngine, load_engine
    from .model.sampling import Sampling
    from .music.midi import read_midi, write_midi
    from .music.notes import Note, Notes, Pedal

__version__ = "0.1.0"
__all__ = [
    "Bundle",
    "Client",
    "Note",
    "Notes",
    "Pedal",
    "Request",
    "Sampling",
    "Take",
    "compose",
    "list_bundles",
    "load_bundle",
    "load_engine",
    "read_midi",
    "stream",
    "write_midi",
]

_HOMES = {
    "model.bundle": ("Bundle", "list_bundles", "load_bundle"),
    "client": ("Client",),
    "generation.loop": ("stream",),
    "generation.request": ("Request", "Take"),
    "model.engine": ("load_engine",),
    "music.midi": ("read_midi", "write_midi"),
    "music.notes": ("Note", "Notes", "Pedal"),
    "model.sampling": ("Sampling",),
}


def compose(
    notes: int | None = None,
    *,
    seconds: float | None = None,
    style: str = "any",
    prompt: Notes | None = None,
    model: str | None = None,
    seed: int | None = None,
    sampling: Sampling | None = None,
    original: bool = False,
) -> Take:
    """Compose `notes` notes (300 if no length is given) or `seconds` of music, after `prompt` if there is one.

    `style` is a composer the model knows; `model` a shipped model's name or a folder; without `seed` one is drawn
    and stands in the take's request. `original` composes again, with a later seed, what shares more with the model's
    training music than works of people do. Models stay loaded between calls. Raises RequestError or BundleError.
    """
    from .generation.loop import generate
    from .generation.request import DEFAULT_NOTES, Request, draw_seed
    from .model.sampling import DEFAULT

    request = Request(
        notes=DEFAULT_NOTES if notes is None and seconds is None else notes,
        seconds=seconds,
        style=style,
        prompt=prompt,
        seed=draw_seed() if seed is None else seed,
        sampling=sampling or DEFAULT,
    )
    engine = _engine(model)
    if not original:
        return generate(request, engine)
    from .generation.original import generate_original, require_index

    ((take, _),) = generate_original([request], engine, require_index(engine.bundle))
    return take


@lru_cache(maxsize=4)
def _engine(model: str | None) -> OnnxEngine:
    from .model.bundle import DEFAULT_MODEL, load_bundle
    from .model.engine import load_engine

    return load_engine(load_bundle(model or DEFAULT_MODEL))


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f".{module}", __name__), name)
    raise AttributeError(f"module 'arietta' has no attribute {name!r}")

"""How likely music is under a model, and which of its notes the model did not expect.

    scored = score_piece(notes, engine)
    scored.per_note, find_surprises(scored, engine.bundle.codec)[0].note
    add_up([piece.nll.sum() for piece in pieces], [piece.note_count for piece in pieces]).interval

Models are compared by this figure, and takes ranked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..codecs.codec import Codec, Tokens
from ..codecs.grid import KEY_COUNT
from ..codecs.note import NoteCodec
from ..errors import CodecError
from ..model.bundle import condition_of
from ..model.config import ANY
from ..model.engine import Engine
from ..music.notes import Note, Notes, shift, trim


@dataclass(frozen=True)
class Scored:
    """A piece under a model: `tokens` [T, F], and `nll` float64 [T, F] in nats, 0 where the grammar fixes a field.

    `notes` are those of the tokens, on the codec's grid, from 0 s on; in the file they begin `begin` seconds later.
    """

    tokens: Tokens
    nll: NDArray[np.float64]
    notes: Notes
    begin: float

    @property
    def note_count(self) -> int:
        """Number of notes that the codec can hold."""
        return len(self.notes)

    @property
    def per_note(self) -> float:
        """Nats per note, those of pedal and end tokens included."""
        return float(self.nll.sum()) / max(self.note_count, 1)

    @property
    def per_second(self) -> float:
        """Nats per second of music."""
        return float(self.nll.sum()) / max(self.notes.seconds, 1e-9)

    @property
    def notes_in_file(self) -> Notes:
        """The notes at the file's own time, within milliseconds."""
        return shift(self.notes, self.begin)


def score_piece(notes: Notes, engine: Engine, *, style: str = "any", source: str | None = None) -> Scored:
    """Score a piece from its first token, in the context that the engine's cache holds; nothing is skipped.

    `source` names where the notes come from ("any" when None). Raises RequestError for an unknown `style`.
    """
    bundle = engine.bundle
    condition = condition_of(style, bundle, source=source or ANY)
    trimmed = trim(notes)  # models learned from music that begins at once
    tokens = bundle.codec.encode(trimmed)
    nll = engine.score(tokens, condition).astype(np.float64) * bundle.codec.loss_mask(tokens)
    begin = float(notes.onset[0] - trimmed.onset[0]) if len(notes) else 0.0
    return Scored(tokens, nll, bundle.codec.quantise(trimmed), begin)


@dataclass(frozen=True)
class SetLikelihood:
    """How likely pieces are together: nats per note, and its 95 % interval over pieces, None for a single piece."""

    pieces: int
    notes: int
    per_note: float
    interval: tuple[float, float] | None


def add_up(nats: Iterable[float], notes: Iterable[int]) -> SetLikelihood | None:
    """Sum up pieces, each with its nats and its notes, [pieces] both; pieces without notes are left out.

    Returns None where no piece has a note.
    """
    sums, counts = (
        np.array([pair for pair in zip(nats, notes, strict=True) if pair[1]], dtype=np.float64).reshape(-1, 2).T
    )
    if not len(counts):
        return None
    interval = interval_by_piece(sums, counts) if len(counts) > 1 else None
    return SetLikelihood(len(counts), int(counts.sum()), float(sums.sum() / counts.sum()), interval)


def interval_by_piece(sums: NDArray[Any], counts: NDArray[Any]) -> tuple[float, float]:
    """95 % bootstrap interval of sum(sums) / sum(counts), drawing whole pieces: `sums`, `counts` [pieces].

    Of two or three pieces it is the least and the most of them, and too narrow: a dozen begin to be enough.
    """
    picks = np.random.default_rng(0).integers(0, len(sums), (2000, len(sums)))
    low, high = np.percentile(sums[picks].sum(axis=1) / counts[picks].sum(axis=1), [2.5, 97.5])
    return float(low), float(high)


def nats_by_note(scored: Scored, codec: Codec) -> NDArray[np.float64]:
    """Nats of each note of `scored.notes`, float64 [N, F]: of its time, pitch, length and velocity.

    What pedal, waits and the end cost is in none of them. Raises CodecError where a token is not a note.
    """
    if not isinstance(codec, NoteCodec):
        raise CodecError(f"the {codec.name} codec has no token for each note, so nats are those of tokens: `nll`")
    return scored.nll[scored.tokens[:, 1] < KEY_COUNT]  # symbols below it are keys: these tokens are notes


@dataclass(frozen=True)
class Surprise:
    """Note number `index` of a piece and how unlikely it was, in nats, and how much of that its pitch alone.

    `nats` are those of its time, pitch, length and velocity together.
    """

    index: int
    note: Note
    nats: float
    pitch_nats: float

    def to_json(self) -> dict[str, Any]:
        """Describe it as JSON values; "place" is what files and the service call its index."""
        values = asdict(self)
        return {"place": values.pop("index")} | values | {"note": self.note._asdict()}


def find_surprises(scored: Scored, codec: Codec, *, most: int = 10) -> list[Surprise]:
    """List the `most` notes that were least likely, the least likely first, at the file's own time.

    There are none where a token is not a note. The first note is left out: nothing came before it.
    """
    if not isinstance(codec, NoteCodec):
        return []
    by_field = nats_by_note(scored, codec)
    nats = by_field.sum(axis=1)
    order = [int(index) for index in np.argsort(-nats, kind="stable") if index > 0]
    return [
        Surprise(
            index,
            scored.notes[index]._replace(onset=scored.notes[index].onset + scored.begin),
            float(nats[index]),
            float(by_field[index, 1]),
        )
        for index in order[:most]
    ]

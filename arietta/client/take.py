"""A take that a server composed and stores, fetched from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import MidiError
from ..files import write_file
from ..music.notes import Note, Notes, select
from .music import received_meter, received_notes

if TYPE_CHECKING:
    from ..codecs.codec import Booleans
    from ..generation.original import Originality
    from ..generation.passage import Edit
    from ..generation.request import Request
    from ..generation.scores.pulse import Fit
    from ..music.meter import Meter


@dataclass(frozen=True)
class ServedTake:
    """A finished piece that a server stores as `id`: its notes, and `file`, the MIDI file that carries its request.

    `notes` begin with the prompt's own, and `nll` is in nats per note. `is_new` bool [N] says which of them were
    composed. `nats`, of a passage alone, are as a `Take` has them. `originality` is None where the model has no index,
    `fit` where no tempo was asked for.
    """

    id: str
    title: str
    notes: Notes
    prompt_notes: int
    file: bytes
    request: Request
    model: str
    bundle: str
    nll: float
    seconds_taken: float = field(compare=False)
    is_new: Booleans = field(compare=False)  # the rest tells takes apart, and an array has no truth of its own
    nats: tuple[float, float, float] | None = None
    originality: Originality | None = None
    interventions: Mapping[str, int] = field(default_factory=dict)
    fit: Fit | None = None

    def __repr__(self) -> str:
        return f"ServedTake({self.title}, {self.id}: {self.notes!r}, {self.nll:.2f} nats per note)"

    def _repr_html_(self) -> str:
        """Show the piece in a notebook, as a `Take` is shown."""
        from ..render.playback import music_html

        return music_html(self.notes, title=self.title, prompt_seconds=self.prompt_seconds)

    @property
    def note_count(self) -> int:
        """Number of composed notes, without those that were given."""
        return int(self.is_new.sum())

    @property
    def prompt_seconds(self) -> float:
        """Time of the prompt's last onset; 0 without a prompt."""
        return float(self.notes.onset[: self.prompt_notes].max(initial=0.0))

    @property
    def meter(self) -> Meter | None:
        """The bars that the piece has, None where they are not known."""
        return self.request.meter

    def save(self, path: str | Path, *, grid: Meter | float | str | None = None) -> None:
        """Write the server's MIDI file, or what `Take.save` writes by another ending, with a `grid`, or from a score.

        Raises MidiError or RequestError where that fails.
        """
        from ..music.beats import choose_grid
        from ..music.midi import GRID_TEXT, read_texts
        from ..render.formats import MIDI, save_music

        source = self.request.heading.source_texts  # which no server is told
        if Path(path).suffix.lower() in MIDI and grid is None and not source:
            write_file(path, self.file, MidiError)
            return
        chosen, texts = choose_grid(self.notes, grid, self.meter), read_texts(self.file, name=str(path))
        texts = [*(text for text in texts if text != GRID_TEXT), *source]
        save_music(path, self.notes, title=self.title, texts=texts, prompt_seconds=self.prompt_seconds, grid=chosen)

    def to_bytes(self, kind: str = "mid", *, grid: Meter | float | str | None = None) -> bytes:
        """Return the file that `save` writes, by its ending, such as mid or wav; raises as that does."""
        from ..render.formats import saved_bytes

        return saved_bytes(lambda path: self.save(path, grid=grid), kind)


def read_take(piece: Mapping[str, Any], music: Mapping[str, Any], file: bytes) -> ServedTake:
    """Read what a server says of a finished piece that was composed, its notes, and its MIDI file."""
    from ..generation.original import Originality
    from ..generation.request import Request
    from ..generation.scores.pulse import Fit

    figures, description = piece["figures"], piece["request"]
    notes, prompt_notes = received_notes(music), music["prompt_notes"]
    # The prompt's notes come first.
    prompt = Notes.from_events([Note(*row) for row in music["notes"][:prompt_notes]]) if prompt_notes else None
    is_new = np.arange(len(notes)) >= prompt_notes
    if "passage" in description:
        is_new = np.isin(np.arange(len(notes)), music["composed"])
    nats, originality, fit = (figures.get(name) for name in ("nats_per_token", "originality", "fit"))
    edit = _read_edit(description, notes, is_new)
    return ServedTake(
        id=piece["id"],
        title=piece["name"],
        notes=notes,
        prompt_notes=prompt_notes,
        file=file,
        request=Request.from_description(description, prompt, edit, received_meter(music)),
        model=description["model"],
        bundle=description["bundle"],
        nll=figures["nll_per_note"],
        seconds_taken=piece["timing"]["composing"],
        is_new=is_new,
        nats=None if nats is None else (nats["passage"], nats["after"], nats["both"]),
        originality=None if originality is None else Originality.from_description(originality),
        interventions=figures.get("interventions", {}),
        fit=None if fit is None else Fit(fit["sureness"], fit["factor"], fit["bars"]),
    )


def _read_edit(description: Mapping[str, Any], notes: Notes, is_new: Booleans) -> Edit | None:
    """The passage or the score that a piece was asked for, in all that is known of the music that was given."""
    from ..generation.passage import Edit
    from ..generation.scores.performance import Performance

    if (passage := description.get("passage")) is not None:
        stays = select(notes, ~is_new)
        options = {name: passage[name] for name in ("keep_pedal", "leads_back", "context")}
        return Edit(stays, passage["from"], passage["to"], np.ones(len(stays), dtype=np.bool_), **options)
    if (score := description.get(Performance.KIND)) is not None:
        return Performance(notes, score["from"], score["to"], leads_back=False)  # played, its notes are the score's
    return None

"""A take that a server composed and stores, fetched from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import MidiError
from ..files import write_file
from ..music.notes import Notes

if TYPE_CHECKING:
    from ..codecs.codec import Booleans
    from ..generation.original import Originality
    from ..generation.request import Request
    from ..music.meter import Meter


@dataclass(frozen=True)
class ServedTake:
    """A finished piece that a server stores as `id`: its notes, and `file`, the MIDI file that carries its request.

    `notes` begin with the prompt's own, and `nll` is in nats per note. `is_new` bool [N] says which of them were
    composed. `nats`, of a passage alone, are as a `Take` has them. `originality` is None where the model has no index.
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

    def save(self, path: str | Path, *, grid: Meter | float | None = None) -> None:
        """Write the server's MIDI file, or what `Take.save` writes by another ending, or with a `grid`.

        Raises MidiError or RequestError where that fails.
        """
        from ..music.midi import read_texts
        from ..render.formats import MIDI, save_music

        if Path(path).suffix.lower() in MIDI and grid is None:
            write_file(path, self.file, MidiError)
            return
        texts, grid = read_texts(self.file, name=str(path)), self.meter if grid is None else grid
        save_music(path, self.notes, title=self.title, texts=texts, prompt_seconds=self.prompt_seconds, grid=grid)

"""Whose music something is: the title and the composer that a score names, kept in what is made of it."""

from __future__ import annotations

from typing import NamedTuple

from ..names import printable

LONGEST = 200  # letters of either, of a stranger's file


class Heading(NamedTuple):
    """A title and a composer, each on one line, and "" where it is not known."""

    title: str = ""
    composer: str = ""

    @classmethod
    def read(cls, title: str | None, composer: str | None) -> Heading:
        """Bring what stands in a file into a heading."""
        return cls(*(printable(" ".join((text or "").split()))[:LONGEST] for text in (title, composer)))

    @property
    def composer_texts(self) -> list[str]:
        """What a MIDI file says of the composer, as texts."""
        return [f"Composer: {self.composer}"] if self.composer else []

    @property
    def source_texts(self) -> list[str]:
        """What a MIDI file says of music that was made from this, as texts."""
        named = ", ".join(filter(None, self))
        return [f"Made from: {named}"] if named else []


UNKNOWN = Heading()

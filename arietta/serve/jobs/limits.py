"""How much a server takes on: what one request may ask, how many pieces there may be, how much is stored."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import RequestError
from ...generation.request import MAX_NOTES, MAX_PROMPT_NOTES
from ...generation.scores.bars import MAX_SECONDS


@dataclass(frozen=True)
class Limits:
    """The limits of a server; raises RequestError, in the words of the command line, where one is impossible.

    `seats` are the slots: so many pieces are composed at once, while `places` more may wait. Pieces longer than
    `short_notes` or `short_seconds` get at most three slots of four, so that a short one never waits for a long one to
    end; while all slots are taken, clients who have none get `guest_seats` more. A piece whose cache does not fit into
    what is left of `cache_megabytes` waits, but for one that is alone.
    """

    most_notes: int = 10_000
    most_seconds: float = 3_600.0
    most_prompt_notes: int = 4_000
    most_prompt_seconds: float = 3_600.0
    most_count: int = 8
    most_body: int = 2 * 2**20  # bytes; the largest of 11,330 piano files in two corpora has 0.8 MB
    most_bodies: int = 64 * 2**20  # bytes, of all requests that are being answered
    body_seconds: float = 30.0
    most_wait: float = 120.0  # seconds that ?wait may ask for
    most_audio_seconds: float = 3_600.0
    most_tone_seconds: float = 50_000.0  # of all notes together; an hour of piano music has some 30,000
    uploads: int = 16  # files of prompts that may be read or wait for it
    files: int = 16  # sounds, and other slow files, that may be made or wait for it
    work_per_client: int = 8  # of either that one client may have
    file_seconds: float = 120.0  # by the clock, for a score, picture or report; one of 10,000 notes takes up to 40
    sound_seconds: float = 600.0  # of rendering; an hour takes up to 300
    listeners: int = 1_000  # streams of events
    listeners_per_client: int = 256
    seats: int = 32
    cache_megabytes: int = 512  # of all pieces under way: 5.2 MB each of `piano`, and twice that in a style
    guest_seats: int = 8  # besides, for short pieces of clients who have none running
    places: int = 64
    most_per_client: int = 64  # pieces that one client may have unfinished
    short_notes: int = 1_000
    short_seconds: float = 120.0
    keep_pieces: int = 10_000  # favourites are not counted
    keep_megabytes: int = 1_024

    def __post_init__(self) -> None:
        ranges = {
            "most_notes": MAX_NOTES,
            "most_seconds": MAX_SECONDS,
            "most_prompt_notes": MAX_PROMPT_NOTES,
            "seats": 256,
            "cache_megabytes": 10**6,
            "places": 10_000,
            "most_per_client": 10_000,
            "file_seconds": 86_400,
            "keep_pieces": 10**9,
            "keep_megabytes": 10**9,
        }
        for name, most in ranges.items():
            limit = getattr(self, name)
            if not 1 <= limit <= most:
                raise RequestError(f"--{name.replace('_', '-')} must lie in 1-{most:.0f}, not {limit:.10g}")

    @property
    def most_pieces(self) -> int:
        """Pieces that one client may have unfinished where there are no others."""
        return min(self.most_per_client, self.places + self.seats)

    @property
    def keep_bytes(self) -> int:
        """Bytes of packed events that are stored."""
        return self.keep_megabytes * 2**20

    @property
    def cache_bytes(self) -> int:
        """Bytes that the caches of all pieces under way may take."""
        return self.cache_megabytes * 2**20

    @property
    def long_slots(self) -> int:
        """Slots that long pieces may take."""
        return max(1, self.seats * 3 // 4)

    def is_long(self, notes: int | None, seconds: float | None) -> bool:
        """Whether a piece of that length may take a long piece's slot only."""
        return (notes or 0) > self.short_notes or (seconds or 0.0) > self.short_seconds

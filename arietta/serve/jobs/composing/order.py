"""What a client orders: a request, what shall become of its piece, and how the history describes it."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

from ....generation.request import Request, midi_texts
from ....music.reading import ReadPiece
from ..editing.passages import describe_passage
from ..history.records import ORDER, Record
from ..job import Job, State
from ..selection import BEST

UPLOAD = "upload"  # the verb of pieces that come from elsewhere
ORIGINAL = "original"  # key in `Record.asked` while the piece may be composed again


@dataclass(frozen=True)
class Order:
    """A request for a piece and what shall become of it.

    Where it is for a passage, `verb` says how that is written, and `given` is the id of the stored piece that it is of.
    `model` is the default one if None, and `name` the piece's title. `continues` is the id of the stored piece that the
    prompt comes from. With `original` the piece is composed again while it overlaps the training music more than human
    works overlap each other. Of all pieces ordered together, `best` are marked as the best. `remarks` say what was
    merged or left out of a file whose music it goes on from or works on.
    """

    request: Request
    model: str | None = None
    name: str | None = None
    continues: str | None = None
    original: bool = False
    best: int | None = None
    verb: str | None = None
    given: str | None = None
    remarks: tuple[str, ...] = ()

    def record(self, job: Job, first_key: str) -> Record:
        """Describe its job, a new one, for the history; `first_key` is that of the first job ordered with it."""
        request, bundle = job.request, job.attempt.generation.bundle
        description = {"model": bundle.name, "bundle": bundle.fingerprint} | request.describe()
        asked = description | ({} if self.continues is None else {"continues": self.continues})
        if self.verb is not None or request.edit is not None:
            asked |= {"verb": self.verb, "given": self.given, ORDER: first_key}
            asked |= {} if request.edit is None else describe_passage(request.edit)
        if self.original:
            asked[ORIGINAL] = True
        if self.best is not None:
            asked |= {ORDER: first_key, BEST: self.best}
        if self.remarks:
            asked["remarks"] = list(self.remarks)
        title = request.title(bundle.name)
        return Record(
            id=job.key,
            name=self.name or title,
            state=State.WAITING,
            created=time.time(),
            asked=asked,
            title=title,
            texts=midi_texts(description),
        )


def upload_record(piece: ReadPiece, name: str) -> Record:
    """Describe music from elsewhere, with what of its file was merged or left out."""
    asked = {"verb": UPLOAD, "notes": len(piece.notes), "prompt_notes": len(piece.notes)}
    asked |= {"remarks": list(piece.remarks)} if piece.remarks else {}
    return Record(secrets.token_hex(8), name, State.DONE, time.time(), asked, title=name, texts=())

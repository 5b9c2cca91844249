"""A client of an Arietta server, on the standard library alone, with the arguments of `arietta.compose`.

    client = Client("http://127.0.0.1:8000")
    take = client.compose(notes=300, style="Chopin", seed=7)
    take.save("piece.mid")

Raises RequestError with the server's own sentence where it refuses, and where no server answers.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from ..errors import RequestError, require
from ..music.notes import Note, Notes, Pedal
from .music import received_meter, received_notes, sent_given, sent_keep, sent_music
from .options import ComposeOptions, make_request
from .take import ServedTake, read_take
from .transport import Transport, piece_path

if TYPE_CHECKING:
    from typing import Unpack

    from ..generation.request import Request
    from ..generation.scores.bars import Time
    from ..generation.verbs import Keep, VerbOptions
    from ..music.correction import Correction
    from ..music.meter import Meter

Progress = Callable[[float, float], None]
TRIES, PAUSE = 5, 1.0  # connections for one stream of events, and seconds between them
BATCH_SIZE = 8  # requests of one call that are with the server at a time, which composes them together
UNFINISHED = ("waiting", "composing")


class Client:
    """A server at an address; every call opens its own connection, so threads may share a client."""

    def __init__(self, address: str, *, api_key: str | None = None, timeout: float = 60.0) -> None:
        """Check an address such as http://127.0.0.1:8000; a server may be silent for `timeout` seconds."""
        self._transport = Transport(address, api_key, timeout)
        self.address = self._transport.address

    def __repr__(self) -> str:
        return f"Client({self.address!r})"

    def compose(
        self, notes: int | None = None, *, progress: Progress | None = None, **options: Unpack[ComposeOptions]
    ) -> ServedTake:
        """Compose `notes` notes (300 if no length is given) and wait for them; an interrupt cancels the piece."""
        request = make_request(notes, options)
        original = options.get("original", False)
        (take,) = self.compose_all([request], model=options.get("model"), original=original, progress=progress)
        return take

    def compose_all(
        self,
        requests: Sequence[Request],
        *,
        model: str | None = None,
        original: bool = False,
        progress: Progress | None = None,
    ) -> Iterator[ServedTake]:
        """Compose all requests, several at a time, and yield their takes in order as they are finished.

        `progress` counts all requests together. With `original` a take may come from a later seed than its request's.
        An interrupt cancels the pieces that are unfinished.
        """
        takes = max((request.take_count for request in requests), default=1)
        size = max(BATCH_SIZE // takes, 1)  # each counts as so many pieces
        for begin in range(0, len(requests), size):
            batch = requests[begin : begin + size]
            keys = [self.submit(request, model=model, original=original)[0]["id"] for request in batch]
            try:
                for index, (key, request) in enumerate(zip(keys, batch, strict=True), begin):
                    for _ in self.events(key, progress=_progress_of_all(progress, index, len(requests))):
                        pass
                    take = self.take(key)
                    # A fetched request's prompt lacks its pedal, how it was moved, whose it is: the caller's has all.
                    given = {name: getattr(request, name) for name in ("prompt", "transposed", "meter", "heading")}
                    if request.pulse is not None:
                        del given["meter"]  # which the server found
                    yield replace(take, request=replace(take.request, **given))
            except (KeyboardInterrupt, GeneratorExit):
                self._cancel(keys)
                raise

    def regenerate(
        self,
        music: Any,
        start: Time,
        stop: Time,
        *,
        keep: Keep = None,
        keep_pedal: bool = False,
        **options: Unpack[VerbOptions],
    ) -> list[ServedTake]:
        """Let the server write a passage anew, as `arietta.regenerate` does.

        `music` of all these verbs is the id of a piece that the server stores, or what `as_notes` reads. They take `n`,
        `style`, `density`, `loudness`, `key`, `transpose`, `guidance`, `seed`, `model` and `progress`, and return the
        likeliest take first.
        """
        asked = {"from": start, "to": stop, "keep": sent_keep(keep), "keep_pedal": keep_pedal or None}
        return self._write("regenerate", music, asked, **options)

    def extend(
        self,
        music: Any,
        at: Time | None = None,
        *,
        notes: int | None = None,
        seconds: float | None = None,
        bars: int | None = None,
        **options: Unpack[VerbOptions],
    ) -> list[ServedTake]:
        """Let the server go on from a piece, as `arietta.extend` does."""
        return self._write("extend", music, {"at": at, "notes": notes, "seconds": seconds, "bars": bars}, **options)

    def lead_in(self, music: Any, seconds: float, **options: Unpack[VerbOptions]) -> list[ServedTake]:
        """Let the server write what leads into a piece, as `arietta.lead_in` does."""
        return self._write("lead_in", music, {"seconds": seconds}, **options)

    def connect(self, first: Any, second: Any, seconds: float, **options: Unpack[VerbOptions]) -> list[ServedTake]:
        """Let the server write what leads from one piece to another, as `arietta.connect` does."""
        return self._write("connect", first, {"second": sent_given(second), "seconds": seconds}, **options)

    def accompany(
        self, music: Any, *, keep: Keep = "all", keep_pedal: bool = False, **options: Unpack[VerbOptions]
    ) -> list[ServedTake]:
        """Let the server write what goes with the notes to keep, as `arietta.accompany` does."""
        asked = {"keep": sent_keep(keep), "keep_pedal": keep_pedal or None}
        return self._write("accompany", music, asked, **options)

    def vary(
        self,
        music: Any,
        strength: float,
        start: Time | None = None,
        stop: Time | None = None,
        *,
        keep: Keep = None,
        keep_pedal: bool = False,
        **options: Unpack[VerbOptions],
    ) -> list[ServedTake]:
        """Let the server write phrases anew under their top line, as `arietta.vary` does."""
        asked = {"strength": strength, "from": start, "to": stop, "keep": sent_keep(keep)}
        return self._write("vary", music, asked | {"keep_pedal": keep_pedal or None}, **options)

    def perform(self, score: Any, **options: Unpack[VerbOptions]) -> list[ServedTake]:
        """Let the server play a written score with touch, as `arietta.perform` does."""
        return self._write("perform", score, {}, **options)

    def _write(
        self,
        verb: str,
        music: Any,
        asked: Mapping[str, Any],
        *,
        n: int = 1,
        progress: Progress | None = None,
        **options: Any,
    ) -> list[ServedTake]:
        """Ask for what a verb writes, wait for all takes and return them, the likeliest first."""
        from ..generation.request import likeliest_first

        fields = {"verb": verb, "given": sent_given(music), "count": n, **asked, **options}
        body = {name: value for name, value in fields.items() if value is not None}
        keys = [piece["id"] for piece in self._transport.json("POST", "/v1/pieces", body)["pieces"]]
        try:
            for index, key in enumerate(keys):
                for _ in self.events(key, progress=_progress_of_all(progress, index, n)):
                    pass
        except KeyboardInterrupt:
            self._cancel(keys)
            raise
        return likeliest_first(map(self.take, keys))

    def _cancel(self, keys: Sequence[str]) -> None:
        """Cancel those of some pieces that are unfinished."""
        for key in keys:
            if self.piece(key)["state"] in UNFINISHED:
                self.delete(key)

    def submit(
        self,
        request: Request,
        *,
        model: str | None = None,
        count: int = 1,
        name: str | None = None,
        original: bool = False,
        best: int | None = None,
    ) -> list[Any]:
        """Ask for `count` pieces with seeds counted up, and return the server's description of each at once.

        With `original` the server composes again what shares more with training music than works of people do. When
        all are done, the figures that `piece` returns mark the `best` of them as the nearest to real music.
        """
        from ..generation.request import Request

        require(request, Request, "submit takes a Request, as Request(notes=300); for one piece there is compose")
        described = request.describe()
        fields = {name: described[name] for name in described if name not in ("prompt_notes", "transposed")}
        fields |= {"count": count, "model": model, "name": name, "original": original or None, "best": best}
        if request.prompt is not None:
            fields["prompt"] = sent_music(request.prompt, request.meter)
        body = {name: value for name, value in fields.items() if value is not None}
        pieces: list[Any] = self._transport.json("POST", "/v1/pieces", body)["pieces"]
        return pieces

    def events(
        self, key: str, *, after: int = 0, progress: Progress | None = None
    ) -> Generator[Note | Pedal, None, Mapping[str, Any]]:
        """Yield each note and pedal of a piece as soon as it is composed, those after number `after`.

        The generator returns the server's description of the finished piece. Raises RequestError where the piece ended
        without its notes. `progress` hears at last how much it has, also of a piece that was finished before.
        """
        told = None
        for tries_left in reversed(range(TRIES)):
            try:
                for number, kind, data in self._transport.stream(key, after):
                    after = number or after
                    piece = _require_done(data) if kind == "end" else None
                    news = piece.get("progress") if piece else data if kind == "progress" else None
                    if news and progress is not None and (now := (news["done"], news["whole"])) != told:
                        told = now
                        progress(*now)
                    if piece is not None:
                        return piece
                    if kind in ("note", "pedal"):
                        yield Note(*data) if kind == "note" else Pedal(*data)
            except (OSError, HTTPException) as error:
                if not tries_left:
                    raise self._transport.no_answer(error) from error
            time.sleep(PAUSE)  # the stream ended before the piece did: the server may be restarting
        raise RequestError(f"{self.address}: the server broke off the piece {key} {TRIES} times; ask it again later")

    def take(self, key: str) -> ServedTake:
        """Fetch a finished piece with its notes and its MIDI file; of one that was uploaded there are only `notes`."""
        piece = self.piece(key)
        if "style" not in piece["request"]:
            raise RequestError(f"the piece {key} was uploaded, not composed: client.notes has its music")
        path = piece_path(key)
        return read_take(piece, self._transport.json("GET", f"{path}.json"), self._transport.call("GET", f"{path}.mid"))

    def notes(self, key: str) -> Notes:
        """Fetch the notes and the pedal of a finished piece, composed or uploaded, as it is now."""
        return received_notes(self._transport.json("GET", f"{piece_path(key)}.json"))

    def file(self, key: str, kind: str, *, grid: float | None = None) -> bytes:
        """Fetch a finished piece as a file: mid, wav, ogg, musicxml, pdf, svg, json, or its report as html.

        `grid` is a tempo, in beats a minute, for a mid to lie under.
        """
        query = "" if grid is None else f"?{urlencode({'grid': grid})}"
        return self._transport.call("GET", f"{piece_path(key)}.{quote(kind.removeprefix('.'))}{query}")

    def score(self, key: str) -> Any:
        """Fetch the score of a finished piece: `pages`, each an SVG, and `moments`, when each of its notes sounds."""
        return self._transport.json("GET", f"{piece_path(key)}/score")

    def report(self, key: str) -> Any:
        """Fetch what a finished piece is like, beside real music."""
        return self._transport.json("GET", f"{piece_path(key)}/report")

    def meter(self, key: str) -> Meter | None:
        """Fetch the metre of a finished piece, None where it has none."""
        return received_meter({"meter": self._transport.json("GET", f"{piece_path(key)}/meter")})

    def set_meter(self, key: str, meter: Meter | None) -> None:
        """Give a finished piece a metre, which its files and verbs have from then on; None takes it away."""
        path = f"{piece_path(key)}/meter"
        if meter is None:
            self._transport.call("DELETE", path)
        else:
            self._transport.call("PUT", path, meter.describe())

    def correct_meter(self, key: str, **correction: Unpack[Correction]) -> Meter | None:
        """Correct the bars of a finished piece as `arietta.music.correction.correct_meter` does, and return them."""
        asked = {name: value for name, value in correction.items() if value is not None}
        return received_meter({"meter": self._transport.json("POST", f"{piece_path(key)}/meter", asked)})

    def pieces(self, *, only_favourites: bool = False, order: str | None = None) -> Iterator[Any]:
        """Yield the server's descriptions of its pieces, the newest first, or of takes that were asked for together.

        `order` is that of any of them, in its request; the likeliest comes first.
        """
        cursor: dict[str, str] = {}
        while True:
            asked = {"favourites": str(only_favourites).lower()} | ({} if order is None else {"order": order})
            query = urlencode({**asked, **cursor})
            page = self._transport.json("GET", f"/v1/pieces?{query}")
            yield from page["pieces"]
            if page["next"] is None:
                return
            cursor = {"before": page["next"]}

    def piece(self, key: str) -> Any:
        """Fetch the description of a piece: its state, progress, request, timing and figures."""
        return self._transport.json("GET", piece_path(key))

    def change(self, key: str, *, name: str | None = None, is_favourite: bool | None = None) -> Any:
        """Rename a piece, or mark it as a favourite or not."""
        change = {"name": name, "is_favourite": is_favourite}
        body = {name: value for name, value in change.items() if value is not None}
        return self._transport.json("PATCH", piece_path(key), body)

    def stop(self, key: str) -> Any:
        """Stop composing a piece: it is then finished, with the notes so far. Returns its description."""
        return self._transport.json("POST", f"{piece_path(key)}/stop")

    def delete(self, key: str) -> None:
        """Cancel an unfinished piece, or delete a finished one."""
        self._transport.call("DELETE", piece_path(key))

    def upload(self, file: str | Path | bytes, *, name: str | None = None) -> Any:
        """Store a file, MIDI or MusicXML, given by its path or its bytes, as a finished piece; return its description.

        What of it was merged or left out stands in `remarks` of its request. Raises MidiError where it is unreadable.
        """
        from ..music.midi import read_midi_bytes

        data = file if isinstance(file, bytes) else read_midi_bytes(file)
        if name is None:
            name = "upload" if isinstance(file, bytes) else Path(file).stem
        return json.loads(self._transport.call("POST", f"/v1/uploads?{urlencode({'name': name})}", data))

    def revisions(self, key: str) -> Any:
        """Fetch the tree of a piece's revisions: its `version`, the number at its `head`, and what each is."""
        return self._transport.json("GET", f"{piece_path(key)}/revisions")

    def revise(self, key: str, notes: Notes, *, version: int, parent: int, cause: str, name: str = "") -> Any:
        """Store a changed version of a piece, which its files are of from then on, and return the tree of revisions.

        `version` is that of the tree that the change was made from: if it has changed since, the server refuses.
        """
        body = {**sent_music(notes), "parent": parent, "cause": cause, "name": name}
        path = f"{piece_path(key)}/revisions"
        return json.loads(self._transport.call("POST", path, body, {"If-Match": f'"{version}"'}))

    def choose_revision(self, key: str, number: int, *, version: int) -> Any:
        """Bring a revision of a piece to the head, 0 for the piece as it was; as `revise` otherwise."""
        path = f"{piece_path(key)}/revisions"
        return json.loads(self._transport.call("PATCH", path, {"head": number}, {"If-Match": f'"{version}"'}))

    def revision(self, key: str, number: int) -> Notes:
        """Fetch the notes and the pedal of a revision of a piece, 0 for the piece as it was."""
        return received_notes(self._transport.json("GET", f"{piece_path(key)}/revisions/{number}"))

    def name_revision(self, key: str, number: int, name: str) -> Any:
        """Name a revision, or with an empty text take its name away, and return the tree of revisions."""
        return self._transport.json("PATCH", f"{piece_path(key)}/revisions/{number}", {"name": name})

    def models(self) -> list[Any]:
        """Fetch the descriptions of the server's models, the default first."""
        models: list[Any] = self._transport.json("GET", "/v1/models")["models"]
        return models


def _progress_of_all(progress: Progress | None, index: int, count: int) -> Progress | None:
    """Turn the progress of piece `index` into that of all `count`, which are equally long."""
    if progress is None:
        return None
    return lambda done, total: progress(index * total + done, count * total)


def _require_done(piece: Mapping[str, Any]) -> Mapping[str, Any]:
    if piece["state"] != "done":
        why = f": {piece['problem']['detail']}" if piece["problem"] else ""
        raise RequestError(f"the piece {piece['id']} is {piece['state']}{why}")
    return piece

"""A server's client, on the standard library alone: the same words as `arietta.compose`, composed elsewhere.

    client = Client("http://127.0.0.1:8000")
    take = client.compose(notes=300, style="Chopin", seed=7)
    take.save("piece.mid")

What a server refuses is a RequestError with its sentence, as is a server that is not there.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict
from urllib.parse import quote, urlencode, urlsplit

from .errors import MidiError, RequestError
from .files import write_file
from .model.sampling import DEFAULT, Sampling
from .music.notes import Note, Notes, Pedal

if TYPE_CHECKING:
    from typing import Unpack

    from .generation.original import Originality
    from .generation.request import Request

Progress = Callable[[float, float], None]
TRIES, PAUSE = 5, 1.0  # how often a stream that broke is taken up again, seconds in between
AT_ONCE = 8  # pieces of one call that a server composes side by side
UNDER_WAY = ("waiting", "composing")


class Wishes(TypedDict, total=False):
    """What may be said about a piece beside its number of notes; see `arietta.compose`."""

    seconds: float
    style: str
    prompt: Notes | str | Path
    model: str
    seed: int
    sampling: Sampling
    original: bool


@dataclass(frozen=True)
class ServedTake:
    """A finished piece that a server keeps as `id`: its notes, and `file`, the MIDI file that carries its request.

    `nll` is in nats a note; `notes` begin with the prompt's own; `originality` is there where the model has an index.
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
    seconds_taken: float
    originality: Originality | None = None

    @property
    def note_count(self) -> int:
        """Notes composed, without the prompt's."""
        return len(self.notes) - self.prompt_notes

    @property
    def prompt_seconds(self) -> float:
        """Time of the prompt's last onset; 0 without a prompt."""
        return float(self.notes.onset[: self.prompt_notes].max(initial=0.0))

    def save(self, path: str | Path) -> None:
        """Write the server's MIDI file; raises MidiError where that fails."""
        write_file(path, self.file, MidiError)


class Client:
    """A server at an address. Every call is a request of its own, so threads may share a client."""

    def __init__(self, address: str, *, api_key: str | None = None, timeout: float = 60.0) -> None:
        """Take an address as http://127.0.0.1:8000; `timeout` is how many seconds a server may be silent."""
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise RequestError(f"{address}: no address of a server; http://127.0.0.1:8000 is one")
        self.address = address.rstrip("/")
        self._parts, self._timeout = parts, timeout
        self._headers = {} if api_key is None else {"X-API-Key": api_key.encode()}

    def compose(
        self, notes: int | None = None, *, progress: Progress | None = None, **wishes: Unpack[Wishes]
    ) -> ServedTake:
        """Compose `notes` notes (300 if no length is given) and wait for them; interrupted, it cancels the piece."""
        from .generation.request import DEFAULT_NOTES, Request, draw_seed
        from .model.config import ANY

        request = Request(
            notes=DEFAULT_NOTES if notes is None and "seconds" not in wishes else notes,
            seconds=wishes.get("seconds"),
            style=wishes.get("style", ANY),
            prompt=_heard(wishes.get("prompt")),
            seed=wishes["seed"] if "seed" in wishes else draw_seed(),
            sampling=wishes.get("sampling", DEFAULT),
        )
        original = wishes.get("original", False)
        (take,) = self.perform([request], model=wishes.get("model"), original=original, progress=progress)
        return take

    def perform(
        self,
        requests: Sequence[Request],
        *,
        model: str | None = None,
        original: bool = False,
        progress: Progress | None = None,
    ) -> Iterator[ServedTake]:
        """Compose what requests of the library ask for, some at once, and yield each take when it is there, in order;
        `progress` is of all. With `original`, a take may come of a later seed. Interrupted, it cancels what is under
        way."""
        for begin in range(0, len(requests), AT_ONCE):
            some = requests[begin : begin + AT_ONCE]
            keys = [self.submit(request, model=model, original=original)[0]["id"] for request in some]
            try:
                for place, (key, request) in enumerate(zip(keys, some, strict=True), begin):
                    for _ in self.events(key, progress=_part(progress, place, len(requests))):
                        pass
                    take = self.take(key)
                    yield replace(take, request=replace(request, seed=take.request.seed))
            except (KeyboardInterrupt, GeneratorExit):
                for key in keys:
                    if self.piece(key)["state"] in UNDER_WAY:
                        self.delete(key)
                raise

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
        """Ask for pieces with seeds counted up, and return at once with what the server tells of each; with `original`
        those that share more with training music than works of people do are composed again before they are done. When
        all are, `best` of them are marked as the nearest to real music, among the figures that `piece` gives."""
        asked = {name: value for name, value in request.describe().items() if name != "prompt_notes"}
        asked |= {"count": count, "model": model, "name": name, "original": original or None, "best": best}
        if request.prompt is not None:
            asked["prompt"] = _as_json(request.prompt)
        body = {name: value for name, value in asked.items() if value is not None}
        pieces: list[Any] = self._json("POST", "/v1/pieces", body)["pieces"]
        return pieces

    def events(
        self, key: str, *, after: int = 0, progress: Progress | None = None
    ) -> Generator[Note | Pedal, None, Mapping[str, Any]]:
        """Yield each note and pedal of a piece as soon as it is composed, those after number `after`; the generator's
        value is the piece as it ended. Raises RequestError where it ended without its notes."""
        for left in reversed(range(TRIES)):
            try:
                for number, kind, data in self._stream(key, after):
                    after = number or after
                    if kind == "end":
                        return _ended(data)
                    if kind == "progress" and progress is not None:
                        progress(data["done"], data["whole"])
                    elif kind in ("note", "pedal"):
                        yield Note(*data) if kind == "note" else Pedal(*data)
            except (OSError, http.client.HTTPException) as error:
                if not left:
                    raise self._silence(error) from error
            time.sleep(PAUSE)  # the line ended without the piece's end: the server may be starting anew
        raise RequestError(f"{self.address}: the server broke off the piece {key} {TRIES} times")

    def take(self, key: str) -> ServedTake:
        """Fetch a finished piece."""
        from .generation.original import Originality
        from .generation.request import Request

        piece, music = self.piece(key), self._json("GET", f"/v1/pieces/{quote(key)}.json")
        placed = piece["figures"].get("originality")
        asked, made = piece["request"], [Note(*row) for row in music["notes"]]
        notes = Notes.from_events([*made, *(Pedal(*row) for row in music["pedal"])])
        prompt = Notes.from_events(made[: music["prompt_notes"]]) if music["prompt_notes"] else None
        return ServedTake(
            id=key,
            title=piece["name"],
            notes=notes,
            prompt_notes=music["prompt_notes"],
            file=self._call("GET", f"/v1/pieces/{quote(key)}.mid"),
            request=Request.from_description(asked, prompt),
            model=asked["model"],
            bundle=asked["bundle"],
            nll=piece["figures"]["nll_per_note"],
            seconds_taken=piece["timing"]["composing"],
            originality=None if placed is None else Originality.from_description(placed),
        )

    def pieces(self, *, only_favourites: bool = False) -> Iterator[Any]:
        """Yield what the server keeps, the newest first."""
        cursor: dict[str, str] = {}
        while True:
            query = urlencode({"favourites": str(only_favourites).lower(), **cursor})
            page = self._json("GET", f"/v1/pieces?{query}")
            yield from page["pieces"]
            if page["next"] is None:
                return
            cursor = {"before": page["next"]}

    def piece(self, key: str) -> Any:
        """Look at a piece: its state, progress, request, timing and figures."""
        return self._json("GET", f"/v1/pieces/{quote(key)}")

    def change(self, key: str, *, name: str | None = None, is_favourite: bool | None = None) -> Any:
        """Name a piece anew, or make it a favourite or none."""
        change = {"name": name, "is_favourite": is_favourite}
        body = {name: value for name, value in change.items() if value is not None}
        return self._json("PATCH", f"/v1/pieces/{quote(key)}", body)

    def delete(self, key: str) -> None:
        """Cancel a piece that is under way, or delete one that is over."""
        self._call("DELETE", f"/v1/pieces/{quote(key)}")

    def models(self) -> list[Any]:
        """Tell which models there are, the default first."""
        models: list[Any] = self._json("GET", "/v1/models")["models"]
        return models

    def _stream(self, key: str, after: int) -> Iterator[tuple[int | None, str, Any]]:
        """Read server-sent events: (number, kind, data) each."""
        headers = {"Last-Event-ID": str(after), "Accept": "text/event-stream"}
        connection = self._connect()
        try:
            answer = self._send(connection, "GET", f"/v1/pieces/{quote(key)}/events", None, headers)
            fields: dict[str, str] = {}
            for line in answer:
                name, _, value = line.decode().rstrip("\r\n").partition(": ")
                if name:
                    fields[name] = value
                    continue
                if "data" in fields:
                    number = int(fields["id"]) if "id" in fields else None
                    yield number, fields["event"], json.loads(fields["data"])
                fields = {}
        finally:
            connection.close()

    def _json(self, method: str, path: str, body: Any = None) -> Any:
        return json.loads(self._call(method, path, body))

    def _call(self, method: str, path: str, body: Any = None) -> bytes:
        connection = self._connect()
        try:
            return self._send(connection, method, path, body, {"Accept": "*/*"}).read()
        except (OSError, http.client.HTTPException) as error:
            raise self._silence(error) from error
        finally:
            connection.close()

    def _send(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: Any, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        data = None if body is None else json.dumps(body).encode()
        kind = {} if data is None else {"Content-Type": "application/json"}
        connection.request(method, self._parts.path.rstrip("/") + path, data, {**headers, **kind, **self._headers})
        answer = connection.getresponse()
        if answer.status >= 400:
            raise RequestError(_sentence(answer))
        return answer

    def _connect(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        assert self._parts.hostname is not None
        return kind(self._parts.hostname, self._parts.port, timeout=self._timeout)

    def _silence(self, error: Exception) -> RequestError:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return RequestError(f"{self.address}: no server answers there ({reason})")


def _heard(prompt: Notes | str | Path | None) -> Notes | None:
    if prompt is None or isinstance(prompt, Notes):
        return prompt
    from .music.midi import read_midi

    return read_midi(prompt)


def _as_json(notes: Notes) -> dict[str, Any]:
    columns = (notes.onset.tolist(), notes.duration.tolist(), notes.pitch.tolist(), notes.velocity.tolist())
    return {"notes": list(zip(*columns, strict=True)), "pedal": notes.pedal.tolist()}


def _part(progress: Progress | None, place: int, count: int) -> Progress | None:
    """Turn the progress of one of several equal pieces into that of all."""
    if progress is None:
        return None
    return lambda done, whole: progress(place * whole + done, count * whole)


def _ended(piece: Mapping[str, Any]) -> Mapping[str, Any]:
    if piece["state"] != "done":
        why = f": {piece['problem']['detail']}" if piece["problem"] else ""
        raise RequestError(f"the piece {piece['id']} is {piece['state']}{why}")
    return piece


def _sentence(answer: http.client.HTTPResponse) -> str:
    """Say why a server refused: its own sentence, if it is one of ours."""
    try:
        return str(json.loads(answer.read())["detail"])
    except (ValueError, KeyError, TypeError):
        return f"the server answered {answer.status} {answer.reason}, as no server of this kind does"

"""A client of an Arietta server, on the standard library alone, with the arguments of `arietta.compose`.

    client = Client("http://127.0.0.1:8000")
    take = client.compose(notes=300, style="Chopin", seed=7)
    take.save("piece.mid")

Raises RequestError with the server's own sentence where it refuses, and where no server answers.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict
from urllib.parse import quote, urlencode, urlsplit

from .errors import MidiError, RequestError
from .files import write_file
from .model.sampling import MODEL_DEFAULTS, Sampling
from .music.notes import Note, Notes, Pedal

if TYPE_CHECKING:
    from typing import Unpack

    from .generation.original import Originality
    from .generation.request import Request

Progress = Callable[[float, float], None]
TRIES, PAUSE = 5, 1.0  # connections for one stream of events, and seconds between them
BATCH_SIZE = 8  # requests of one call that are with the server at a time, which composes them together
UNFINISHED = ("waiting", "composing")


class ComposeOptions(TypedDict, total=False):
    """Options of a piece beside its number of notes, as `arietta.compose` has them."""

    seconds: float
    style: str
    prompt: Any  # what `as_notes` reads
    model: str
    seed: int
    sampling: Sampling
    original: bool


@dataclass(frozen=True)
class ServedTake:
    """A finished piece that a server stores as `id`: its notes, and `file`, the MIDI file that carries its request.

    `notes` begin with the prompt's own, and `nll` is in nats per note. `originality` is None where the model has no
    index.
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
    interventions: Mapping[str, int] = field(default_factory=dict)

    @property
    def note_count(self) -> int:
        """Number of composed notes, without the prompt's."""
        return len(self.notes) - self.prompt_notes

    @property
    def prompt_seconds(self) -> float:
        """Time of the prompt's last onset; 0 without a prompt."""
        return float(self.notes.onset[: self.prompt_notes].max(initial=0.0))

    def save(self, path: str | Path) -> None:
        """Write the server's MIDI file, or by another ending what `Take.save` writes.

        Raises MidiError or RequestError where that fails.
        """
        from .render.formats import MIDI, save_music

        if Path(path).suffix.lower() in MIDI:
            write_file(path, self.file, MidiError)
        else:
            save_music(path, self.notes, title=self.title, prompt_seconds=self.prompt_seconds)


class Client:
    """A server at an address; every call opens its own connection, so threads may share a client."""

    def __init__(self, address: str, *, api_key: str | None = None, timeout: float = 60.0) -> None:
        """Check an address such as http://127.0.0.1:8000; a server may be silent for `timeout` seconds."""
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise RequestError(f"{address}: is not the address of a server, such as http://127.0.0.1:8000")
        self.address = address.rstrip("/")
        self._parts, self._timeout = parts, timeout
        self._headers = {} if api_key is None else {"X-API-Key": api_key.encode()}

    def compose(
        self, notes: int | None = None, *, progress: Progress | None = None, **options: Unpack[ComposeOptions]
    ) -> ServedTake:
        """Compose `notes` notes (300 if no length is given) and wait for them; an interrupt cancels the piece."""
        from .generation.conversion import as_notes
        from .generation.request import DEFAULT_NOTES, Request, draw_seed
        from .model.config import ANY

        request = Request(
            notes=DEFAULT_NOTES if notes is None and "seconds" not in options else notes,
            seconds=options.get("seconds"),
            style=options.get("style", ANY),
            prompt=None if options.get("prompt") is None else as_notes(options["prompt"]),
            seed=options["seed"] if "seed" in options else draw_seed(),
            sampling=options.get("sampling", MODEL_DEFAULTS),
        )
        original = options.get("original", False)
        (take,) = self.perform([request], model=options.get("model"), original=original, progress=progress)
        return take

    def perform(
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
        for begin in range(0, len(requests), BATCH_SIZE):
            batch = requests[begin : begin + BATCH_SIZE]
            keys = [self.submit(request, model=model, original=original)[0]["id"] for request in batch]
            try:
                for index, (key, request) in enumerate(zip(keys, batch, strict=True), begin):
                    for _ in self.events(key, progress=_progress_of_all(progress, index, len(requests))):
                        pass
                    take = self.take(key)
                    # A fetched request's prompt lacks its pedal: the caller's own has all of it.
                    yield replace(take, request=replace(take.request, prompt=request.prompt))
            except (KeyboardInterrupt, GeneratorExit):
                for key in keys:
                    if self.piece(key)["state"] in UNFINISHED:
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
        """Ask for `count` pieces with seeds counted up, and return the server's description of each at once.

        With `original` the server composes again what shares more with training music than works of people do. When
        all are done, the figures that `piece` returns mark the `best` of them as the nearest to real music.
        """
        fields = {name: value for name, value in request.describe().items() if name != "prompt_notes"}
        fields |= {"count": count, "model": model, "name": name, "original": original or None, "best": best}
        if request.prompt is not None:
            fields["prompt"] = _music(request.prompt)
        body = {name: value for name, value in fields.items() if value is not None}
        pieces: list[Any] = self._json("POST", "/v1/pieces", body)["pieces"]
        return pieces

    def events(
        self, key: str, *, after: int = 0, progress: Progress | None = None
    ) -> Generator[Note | Pedal, None, Mapping[str, Any]]:
        """Yield each note and pedal of a piece as soon as it is composed, those after number `after`.

        The generator returns the server's description of the finished piece. Raises RequestError where the piece ended
        without its notes.
        """
        for tries_left in reversed(range(TRIES)):
            try:
                for number, kind, data in self._stream(key, after):
                    after = number or after
                    if kind == "end":
                        return _require_done(data)
                    if kind == "progress" and progress is not None:
                        progress(data["done"], data["whole"])
                    elif kind in ("note", "pedal"):
                        yield Note(*data) if kind == "note" else Pedal(*data)
            except (OSError, http.client.HTTPException) as error:
                if not tries_left:
                    raise self._no_answer(error) from error
            time.sleep(PAUSE)  # the stream ended before the piece did: the server may be restarting
        raise RequestError(f"{self.address}: the server broke off the piece {key} {TRIES} times")

    def take(self, key: str) -> ServedTake:
        """Fetch a finished piece with its notes and its MIDI file."""
        from .generation.original import Originality
        from .generation.request import Request

        piece, music = self.piece(key), self._json("GET", f"/v1/pieces/{quote(key)}.json")
        originality, description = piece["figures"].get("originality"), piece["request"]
        events = [Note(*row) for row in music["notes"]]  # the prompt's come first
        notes = Notes.from_events([*events, *(Pedal(*row) for row in music["pedal"])])
        prompt = Notes.from_events(events[: music["prompt_notes"]]) if music["prompt_notes"] else None
        return ServedTake(
            id=key,
            title=piece["name"],
            notes=notes,
            prompt_notes=music["prompt_notes"],
            file=self._call("GET", f"/v1/pieces/{quote(key)}.mid"),
            request=Request.from_description(description, prompt),
            model=description["model"],
            bundle=description["bundle"],
            nll=piece["figures"]["nll_per_note"],
            seconds_taken=piece["timing"]["composing"],
            originality=None if originality is None else Originality.from_description(originality),
            interventions=piece["figures"].get("interventions", {}),
        )

    def pieces(self, *, only_favourites: bool = False) -> Iterator[Any]:
        """Yield the server's descriptions of its pieces, the newest first."""
        cursor: dict[str, str] = {}
        while True:
            query = urlencode({"favourites": str(only_favourites).lower(), **cursor})
            page = self._json("GET", f"/v1/pieces?{query}")
            yield from page["pieces"]
            if page["next"] is None:
                return
            cursor = {"before": page["next"]}

    def piece(self, key: str) -> Any:
        """Fetch the description of a piece: its state, progress, request, timing and figures."""
        return self._json("GET", f"/v1/pieces/{quote(key)}")

    def change(self, key: str, *, name: str | None = None, is_favourite: bool | None = None) -> Any:
        """Rename a piece, or mark it as a favourite or not."""
        change = {"name": name, "is_favourite": is_favourite}
        body = {name: value for name, value in change.items() if value is not None}
        return self._json("PATCH", f"/v1/pieces/{quote(key)}", body)

    def stop(self, key: str) -> Any:
        """Stop composing a piece: it is then finished, with the notes so far. Returns its description."""
        return self._json("POST", f"/v1/pieces/{quote(key)}/stop")

    def delete(self, key: str) -> None:
        """Cancel an unfinished piece, or delete a finished one."""
        self._call("DELETE", f"/v1/pieces/{quote(key)}")

    def upload(self, file: str | Path, *, name: str | None = None) -> Any:
        """Store a MIDI file as a finished piece and return its description; raises MidiError where it is unreadable."""
        from .music.midi import read_midi_bytes

        data, title = read_midi_bytes(file), Path(file).stem if name is None else name
        return json.loads(self._call("POST", f"/v1/uploads?{urlencode({'name': title})}", data))

    def revisions(self, key: str) -> Any:
        """Fetch the tree of a piece's revisions: its `version`, the number at its `head`, and what each is."""
        return self._json("GET", f"/v1/pieces/{quote(key)}/revisions")

    def revise(self, key: str, notes: Notes, *, version: int, parent: int, cause: str, name: str = "") -> Any:
        """Store a changed version of a piece, which its files are of from then on, and return the tree of revisions.

        `version` is that of the tree that the change was made from: if it has changed since, the server refuses.
        """
        body = {**_music(notes), "parent": parent, "cause": cause, "name": name}
        path = f"/v1/pieces/{quote(key)}/revisions"
        return json.loads(self._call("POST", path, body, {"If-Match": f'"{version}"'}))

    def choose_revision(self, key: str, number: int, *, version: int) -> Any:
        """Bring a revision of a piece to the head, 0 for the piece as it was; as `revise` otherwise."""
        path = f"/v1/pieces/{quote(key)}/revisions"
        return json.loads(self._call("PATCH", path, {"head": number}, {"If-Match": f'"{version}"'}))

    def models(self) -> list[Any]:
        """Fetch the descriptions of the server's models, the default first."""
        models: list[Any] = self._json("GET", "/v1/models")["models"]
        return models

    def _stream(self, key: str, after: int) -> Iterator[tuple[int | None, str, Any]]:
        """Read server-sent events as (number, kind, data); progress has no number, so it cannot be resumed from."""
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

    def _call(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> bytes:
        connection = self._connect()
        try:
            return self._send(connection, method, path, body, {"Accept": "*/*", **(headers or {})}).read()
        except (OSError, http.client.HTTPException) as error:
            raise self._no_answer(error) from error
        finally:
            connection.close()

    def _send(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: Any, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        kind = {} if data is None else {"Content-Type": "audio/midi" if data is body else "application/json"}
        connection.request(method, self._parts.path.rstrip("/") + path, data, {**headers, **kind, **self._headers})
        answer = connection.getresponse()
        if answer.status >= 400:
            raise RequestError(_sentence(answer))
        return answer

    def _connect(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        assert self._parts.hostname is not None
        return kind(self._parts.hostname, self._parts.port, timeout=self._timeout)

    def _no_answer(self, error: Exception) -> RequestError:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return RequestError(f"{self.address}: no server answers there ({reason})")


def _music(notes: Notes) -> dict[str, Any]:
    """Write notes and pedal as the server takes them."""
    columns = (notes.onset.tolist(), notes.duration.tolist(), notes.pitch.tolist(), notes.velocity.tolist())
    return {"notes": list(zip(*columns, strict=True)), "pedal": notes.pedal.tolist()}


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


def _sentence(answer: http.client.HTTPResponse) -> str:
    """Return why a server refused: its own sentence where it is an Arietta server."""
    try:
        return str(json.loads(answer.read())["detail"])
    except (ValueError, KeyError, TypeError):
        return f"the server answered {answer.status} {answer.reason}, as no server of this kind does"

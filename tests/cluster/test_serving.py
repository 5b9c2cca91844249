"""Replicas behind Ray Serve: any of them answers for any piece, and one that is killed loses none."""

from __future__ import annotations

import asyncio
import socket
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from arietta.cluster import serving
from arietta.cluster.serving import LOAD, ReplicaCount, ReplicaPlan, needed_replicas, serve_on_cluster
from arietta.errors import AriettaError, RequestError
from arietta.generation.loop import generate
from arietta.generation.request import Request
from arietta.music.midi import midi_bytes
from arietta.serve.access import Access
from arietta.serve.jobs.limits import Limits
from tests.support.bundles import engine_of
from tests.support.servers import PATIENCE, ask, events, look, until

SEEDS, NOTES = range(4), 400


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def replicas() -> list[Any]:
    import ray

    named = ray.util.list_named_actors(all_namespaces=True)
    names = [actor["name"] for actor in named if actor["name"].startswith("SERVE_REPLICA::")]
    return [ray.get_actor(name, namespace="serve") for name in sorted(names)]


@pytest.mark.filterwarnings("ignore")  # Ray Serve leaves sockets and loops to the end of the process
def test_a_replica_that_is_killed_loses_no_piece(
    cluster: Any, database: str, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    monkeypatch.setattr(serving, "HEALTH_SECONDS", 1.0)
    second, port = cluster.add_node(num_cpus=1), free_port()
    plan, engine = ReplicaPlan((str(tiny_bundle),), database, Limits(), Access()), engine_of(tiny_bundle)
    with (
        serve_on_cluster(plan, ReplicaCount(2, 2), cluster.address, "127.0.0.1", port),
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as client,
    ):
        until(lambda: client.get("/readyz").status_code == 200)
        pieces = [ask(client, notes=NOTES, seed=seed)[0] for seed in SEEDS]
        ray.kill(replicas()[0])
        until(lambda: all(look(client, piece)["state"] == "done" for piece in pieces))
        for seed, piece in zip(SEEDS, pieces, strict=True):
            take = generate(Request(notes=NOTES, seed=seed), engine)
            expected = midi_bytes(take.notes, title=take.title, texts=take.texts())
            assert client.get(piece["links"]["mid"]).content == expected
        (piece,) = ask(client, notes=500, seed=7)
        heard = events(client.get(piece["links"]["events"]).text)
        assert len([kind for _, kind, _ in heard if kind == "note"]) == 500 and heard[-1][1] == "end"
    cluster.remove_node(second, allow_graceful=False)


class PretendedServe:
    """What is asked of Ray and Ray Serve, in order; `failure` comes when the app is started."""

    exceptions = SimpleNamespace(RayError=LookupError, RayServeException=LookupError)

    def __init__(self, failure: BaseException | None = None, *, is_running: bool = False) -> None:
        self.asked, self._failure, self._is_running = list[str](), failure, is_running
        self.applications = ["arietta"]

    def get_actor(self, *_: object, **__: object) -> Any:
        if not self._is_running:
            raise ValueError
        options = SimpleNamespace(host="127.0.0.1", port=8000)
        return SimpleNamespace(get_http_config=SimpleNamespace(remote=lambda: options))

    def get(self, options: Any) -> Any:
        return options

    def start(self, **_: object) -> None:
        self.asked.append("start")

    def run(self, *_: object, **__: object) -> None:
        self.asked.append("run")
        if self._failure is not None:
            raise self._failure

    def status(self) -> Any:
        return SimpleNamespace(applications=self.applications)

    def shutdown(self) -> None:
        self.asked.append("shutdown")

    def delete(self, name: str) -> None:
        self.asked.append(f"delete {name}")


def ask_of(serve: PretendedServe, monkeypatch: pytest.MonkeyPatch, port: int = 8000) -> list[str]:
    monkeypatch.setattr(serving, "open_cluster", lambda _: nullcontext(serve))
    monkeypatch.setattr(serving, "serve_module", lambda: nullcontext(serve))
    monkeypatch.setattr(serving, "_application", lambda *_: None)
    plan = ReplicaPlan((), "postgresql://h/n", Limits(), Access())
    with serve_on_cluster(plan, ReplicaCount(1, 1), "auto", "127.0.0.1", port):
        serve.asked.append("use")
    return serve.asked


def test_serve_is_shut_down_only_where_it_was_started_for_this_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask_of(PretendedServe(), monkeypatch) == ["start", "run", "use", "shutdown"]
    assert ask_of(PretendedServe(is_running=True), monkeypatch) == ["start", "run", "use", "delete arietta"]
    shared = PretendedServe()
    shared.applications.append("another")
    assert ask_of(shared, monkeypatch)[-1] == "delete arietta"


@pytest.mark.parametrize(
    ("failure", "raised"), [(KeyboardInterrupt(), KeyboardInterrupt), (RuntimeError("no"), AriettaError)]
)
def test_what_fails_while_it_starts_is_taken_down(
    failure: BaseException, raised: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    serve = PretendedServe(failure)
    with pytest.raises(raised):
        ask_of(serve, monkeypatch)
    assert serve.asked == ["start", "run", "shutdown"]


def test_a_serve_that_listens_elsewhere_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    serve = PretendedServe(is_running=True)
    with pytest.raises(
        AriettaError, match=r"listens on this cluster already: take --host 127\.0\.0\.1 --port 8000, or"
    ):
        ask_of(serve, monkeypatch, port=8001)
    assert serve.asked == []


def test_a_replica_believes_only_trusted_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    def make(*_: object) -> Starlette:
        return Starlette(routes=[Route("/", lambda request: PlainTextResponse(request.client.host))])

    monkeypatch.setattr("arietta.serve.app.create_app", make)
    monkeypatch.setattr("arietta.serve.app.share_interpreter", lambda: None)
    monkeypatch.setattr("arietta.serve.jobs.history.pieces.open_history", lambda _: None)
    monkeypatch.setattr("arietta.serve.jobs.models.Models", lambda *_, **__: None)
    monkeypatch.setattr(serving, "Service", lambda *_: None)

    async def client_told(proxies: tuple[str, ...]) -> str:
        app = serving._build_app(ReplicaPlan((), "postgresql://h/n", Limits(), Access(), proxies=proxies))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
            return (await client.get("/", headers={"X-Forwarded-For": "192.0.2.7"})).text

    assert asyncio.run(client_told(())) == "127.0.0.1"
    assert asyncio.run(client_told(("127.0.0.1",))) == "192.0.2.7"


def test_as_many_replicas_are_needed_as_the_pieces_under_way_fill() -> None:
    def needed(*loads: float) -> int:
        metrics = {LOAD: dict(enumerate(loads))} if loads else None
        context = SimpleNamespace(aggregated_metrics=metrics, capacity_adjusted_min_replicas=1)
        return needed_replicas(context)[0]

    assert [needed(), needed(0.0), needed(0.5, 0.4), needed(1.0, 0.1), needed(2.5)] == [1, 1, 1, 2, 3]


@pytest.mark.parametrize(("text", "count"), [("2", ReplicaCount(2, 2)), ("1-8", ReplicaCount(1, 8))])
def test_a_number_of_replicas_is_one_or_a_range(text: str, count: ReplicaCount) -> None:
    assert ReplicaCount.read(text) == count


@pytest.mark.parametrize("text", ["", "-", "two", "1-", "-1", "0", "3-2", "1-1001", "1-2-3"])
def test_what_is_no_number_of_replicas_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="--replicas"):
        ReplicaCount.read(text)

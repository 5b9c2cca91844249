"""Servers that share a PostgreSQL history, which is the one counter and the post office of all of them.

Each server says once a second that it is there. Of one that has not for LEASE_SECONDS, the others take its unfinished
pieces and compose them from their seeds. Whoever composes a piece counts in the table `jobs`, for the limits that hold
for all servers together; there stands too how far a piece is that somebody follows at another server, and what somebody
wishes of it there. Nothing depends on a server that is declared lost while it lives: of two who compose one piece the
first stores it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import secrets
import threading
import time
import weakref
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from ....generation.scores.pulse import TAKES
from ....machine import machine_kind
from ..event_log import pack, unpack
from ..history.database import Changes, StorageError
from ..history.pieces import History
from ..history.postgres import PostgresDatabase
from ..history.records import COLUMNS, Record, read_records
from ..job import Job, State
from ..limits import Limits
from ..scheduler import FullError
from .followed import FollowedJob
from .peers import Alone, Host, Peers, Wish

CHANNEL = "arietta"
BEAT_SECONDS = 1.0
LEASE_SECONDS = 6.0
ABSENT_SECONDS = 300.0  # that no server has a model, after which its pieces are given up: servers may be restarted
NEWS_SECONDS = 0.1  # between two looks at a piece that is followed elsewhere
WATCH_SECONDS = 5.0  # that its server goes on after the last word of those who follow it, who speak with each beat
MOST_ADOPTED = 8  # pieces of lost servers that one takes with each beat, so that others take some too
JOIN_SECONDS = 5.0
log = logging.getLogger(__name__)
_IS_LED = "EXISTS (SELECT 1 FROM servers WHERE servers.id = jobs.server)"
_ORPHANS = f"""
SELECT {COLUMNS} FROM pieces WHERE state = ? AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.id = pieces.id AND {_IS_LED})
ORDER BY number
"""
_ADOPT = """
INSERT INTO jobs (id, server, client, machine) VALUES (?, ?, '', ?)
ON CONFLICT (id) DO UPDATE SET server = excluded.server RETURNING client, machine, is_running
"""
_ADMIT = "INSERT INTO jobs (id, server, client, machine, is_stored, pieces) VALUES (?, ?, ?, ?, ?, ?)"
_FORGET = (
    f"DELETE FROM jobs WHERE is_stored = 0 AND NOT {_IS_LED}",
    f"DELETE FROM jobs WHERE NOT {_IS_LED} AND NOT EXISTS "
    "(SELECT 1 FROM pieces WHERE pieces.id = jobs.id AND state = 'waiting')",
)
_WISH = "INSERT INTO jobs (id, server, client, wish) VALUES (?, '', '', ?) ON CONFLICT (id) DO UPDATE SET wish = ?"
_WISHED = "SELECT id FROM jobs WHERE wish IS NOT NULL"
_RUNNING = "UPDATE jobs SET is_running = CASE WHEN id = ANY(?) THEN 1 ELSE 0 END WHERE server = ?"
_BEAT = """
INSERT INTO servers (id, seen, seats, bundles) VALUES (?, extract(epoch FROM clock_timestamp()), ?, ?)
ON CONFLICT (id) DO UPDATE SET seen = excluded.seen RETURNING seen
"""
_LOSE = "DELETE FROM servers WHERE seen NOT BETWEEN ? AND ?"  # the latter where the database's clock was put back
_COUNT = "SELECT coalesce(sum(pieces), 0), coalesce(sum(CASE WHEN client = ? THEN pieces END), 0) FROM jobs"
_NEWS = "UPDATE jobs SET progress = ?, events = ? WHERE id = ? RETURNING pg_notify(?, ?)"


def find_peers(history: History, limits: Limits) -> Peers:
    """Return the servers that share a history, as its database allows."""
    database = history.database
    return SharedPeers(history, database, limits) if isinstance(database, PostgresDatabase) else Alone(history)


class SharedPeers:
    """This server among those that share its history; a thread of its own speaks for it."""

    def __init__(self, history: History, database: PostgresDatabase, limits: Limits) -> None:
        self.server_count = 1
        self.running: Mapping[str, int] = {}
        self._history, self._database, self._limits = history, database, limits
        self._id = secrets.token_hex(8)
        self._host: Host
        self._held: set[str] = set()  # ids of the jobs that count for this server
        self._elsewhere: Mapping[str, bool] = {}  # other servers' jobs, and whether they are being composed
        self._followed = weakref.WeakValueDictionary[str, FollowedJob]()
        self._following = threading.Lock()  # whoever adds to these, or goes through them, holds it
        self._watched: dict[str, float] = {}  # own pieces that are followed elsewhere, and until when
        self._sent: dict[str, tuple[int, tuple[float, float]]] = {}  # of these, how many events, and the progress
        self._adopted: list[_Adopted] = []  # to be resumed
        self._due = 0.0  # when the next beat is
        self._last_beat = (-math.inf, -math.inf)  # when the last one was stored, by this clock and the database's
        self._steady_since: float | None = None  # since when the beats reached the database in time
        self._absent: dict[str, float] = {}  # the models of waiting pieces that no server has, and since when
        self._unwanted: list[str] = []  # ids of pieces of such models that somebody wishes to end
        self._counting = partial(database.changing, is_durable=False)  # who is there after a crash says it anew
        self._releasing = ThreadPoolExecutor(1, thread_name_prefix="release")
        self._is_closed = threading.Event()
        self._thread = threading.Thread(target=self._speak, name="peers", daemon=True)

    def open(self, host: Host) -> None:
        """Take part, and have the host resume what nobody composes."""
        self._host = host
        self._thread.start()

    def close(self) -> None:
        """Leave what is under way to the others."""
        self._is_closed.set()
        if self._thread.is_alive():
            self._thread.join(JOIN_SECONDS)
        self._releasing.shutdown()
        with contextlib.suppress(StorageError), self._counting() as changes:
            changes.execute("DELETE FROM servers WHERE id = ?", (self._id,))
            changes.execute("SELECT pg_notify(?, ?)", (CHANNEL, "left"))

    def admit(self, jobs: Sequence[Job]) -> None:
        """Count new jobs of one client, all or none; raises FullError beyond the limits of all servers together."""
        client, keys, count = jobs[0].client, {job.key for job in jobs}, sum(job.pieces_left for job in jobs)
        self._held |= keys
        try:
            with self._counting() as changes:
                total, unfinished = changes.execute(_COUNT, (client,)).fetchone()
                (seats,) = changes.execute("SELECT coalesce(sum(seats), 0) FROM servers").fetchone()
                if total + count > self._limits.places + max(seats, self._limits.seats):
                    raise FullError(f"the servers have {total} pieces to compose; try again in a few seconds")
                if unfinished + count > self._limits.most_per_client:
                    raise FullError(f"you have {unfinished} pieces under way; wait for some of them to end")
                for job in jobs:
                    row = (job.key, self._id, client, machine_kind(), int(job.is_stored), job.pieces_left)
                    changes.execute(_ADMIT, row)
        except BaseException:
            self._held -= keys
            raise

    def release(self, jobs: Sequence[Job]) -> None:
        """Count jobs no more that are over, or were not taken on after all; nobody is kept waiting for that."""
        keys = {job.key for job in jobs}
        self._held -= keys
        with contextlib.suppress(RuntimeError):  # closed: the others do it
            self._releasing.submit(self._release, keys)

    def _release(self, keys: Collection[str]) -> None:
        try:
            with self._counting() as changes:
                for key in keys:
                    changes.execute("DELETE FROM jobs WHERE id = ?", (key,))
                    changes.execute("SELECT pg_notify(?, ?)", (CHANNEL, f"over {key}"))
        except StorageError as error:
            log.warning("a piece is counted as under way until the next beat (%s)", error.reason)

    def is_composing(self, key: str) -> bool:
        """Whether another server composes a piece, as far as is known here."""
        followed = self._followed.get(key)  # who knows of a note before the next beat does
        return self._elsewhere.get(key, False) or (followed is not None and bool(followed.events))

    def followed(self, key: str) -> FollowedJob | None:
        """Return another server's job that somebody here follows."""
        return self._followed.get(key)

    def follow(self, record: Record) -> FollowedJob | None:
        """Follow the job of an unfinished piece that another server has."""
        unit = "notes" if "notes" in record.asked else "seconds"
        take_count = record.asked.get("takes", TAKES) if "bpm" in record.asked else 1
        with self._following:
            job = self._followed.setdefault(record.id, FollowedJob(record.id, unit, take_count))
        self._update(job)
        self._database.tell(CHANNEL, f"follow {record.id}")
        return job

    def _all_followed(self) -> list[FollowedJob]:
        with self._following:
            return list(self._followed.values())

    def ask(self, record: Record, wish: Wish) -> FollowedJob | None:
        """Ask the server that has an unfinished piece to grant a wish; return the job as `follow` does.

        Where no server has its model, the next beat of any server cancels it: stopped, it would have no notes either.
        """
        with self._database.changing() as changes:
            changes.execute(_WISH, (record.id, wish.value, wish.value))
        self._database.tell(CHANNEL, f"wish {record.id}")
        return self.follow(record)

    def _speak(self) -> None:
        while not self._is_closed.is_set():
            try:
                self._go_on()
            except StorageError as error:
                self._steady_since = None
                log.warning("the other servers cannot be reached by the database (%s)", error.reason)
                self._is_closed.wait(BEAT_SECONDS)
            except Exception:
                log.exception("something failed in what this server does for the others")
                self._is_closed.wait(BEAT_SECONDS)

    def _go_on(self) -> None:
        """Wait a moment for what others tell, do what it asks for, and say in time that this server is there."""
        if time.monotonic() >= self._due:
            self._beat()
            self._due = time.monotonic() + BEAT_SECONDS
        for adopted in list(self._adopted):
            self._resume(adopted)
        seconds = max(self._due - time.monotonic(), 0.0)
        if self._watched or self._followed:
            seconds = min(seconds, NEWS_SECONDS)
        for news in self._database.listen(CHANNEL, seconds):
            self._hear(*news.split())
        self._send_news()

    def _beat(self) -> None:
        """Say that this server is there, take what lost ones left, and look what the others do."""
        host, kind = self._host, machine_kind()
        with self._counting() as changes:
            beat = (self._id, self._limits.seats, json.dumps(sorted(host.bundles)))
            (seen,) = changes.execute(_BEAT, beat).fetchone()
            now = self._check_steady(float(seen))
            if self._steady_since is not None and now - self._steady_since > LEASE_SECONDS:
                changes.execute(_LOSE, (float(seen) - LEASE_SECONDS, float(seen) + LEASE_SECONDS))
            for query in _FORGET:
                changes.execute(query)
            changes.execute("DELETE FROM jobs WHERE server = ? AND NOT id = ANY(?)", (self._id, list(self._held)))
            changes.execute(_RUNNING, (list(host.running()), self._id))
            adopted = self._adopt(changes, kind)
            jobs = changes.execute("SELECT id, server, client, is_running, wish FROM jobs").fetchall()
            (self.server_count,) = changes.execute("SELECT count(*) FROM servers").fetchone()
        self._last_beat = time.monotonic(), float(seen)
        self._steady_since = self._steady_since or self._last_beat[0]
        self._held |= {piece.record.id for piece in adopted}
        self._adopted += adopted
        for key in self._unwanted:
            host.cancel(key)
            self._database.tell(CHANNEL, f"over {key}")
        others = [(key, client, is_running) for key, server, client, is_running, _ in jobs if server != self._id]
        self._elsewhere = {key: bool(is_running) for key, _, is_running in others}
        self.running = Counter(client for _, client, is_running in others if is_running)
        for key, wish in [(key, wish) for key, server, _, _, wish in jobs if server == self._id and wish]:
            self._grant(key, wish)
        for job in self._all_followed():
            if job.key in self._elsewhere:
                self._database.tell(CHANNEL, f"follow {job.key}")
            elif job.key not in host.jobs:
                self._end(job)

    def _check_steady(self, seen: float) -> float:
        """Return the time, and forget the steady ones where the last beat is long ago or a clock was set.

        After a while without the database, or where its clock is set, all others seem to be lost that have not been
        back before this server.
        """
        now, (then, seen_then) = time.monotonic(), self._last_beat
        if now - then > LEASE_SECONDS / 2 or not 0 <= seen - seen_then <= LEASE_SECONDS / 2:
            self._steady_since = None
            self._absent.clear()
        return now

    def _adopt(self, changes: Changes, kind: str) -> list[_Adopted]:
        """Take pieces that no server composes: of this server's models, or of models that no server has had for long.

        The latter cannot be composed, which is then stored. Those that somebody wishes to end do not wait so long.
        """
        orphans = read_records(changes.execute(_ORPHANS, (State.WAITING.value,)).fetchall())
        rows = changes.execute("SELECT bundles FROM servers").fetchall() if orphans else []
        offered = {bundle for (bundles,) in rows for bundle in json.loads(bundles)}
        now, absent = time.monotonic(), {_bundle_of(record) for record in orphans} - offered
        self._absent = {bundle: self._absent.get(bundle, now) for bundle in absent}
        wished = {key for (key,) in changes.execute(_WISHED).fetchall()} if absent else set()
        self._unwanted = [record.id for record in orphans if record.id in wished and _bundle_of(record) in absent]
        given_up = {bundle for bundle, since in self._absent.items() if now - since >= ABSENT_SECONDS}
        adopted = list[_Adopted]()
        for record in orphans:
            if len(adopted) < MOST_ADOPTED and _bundle_of(record) in given_up.union(self._host.bundles):
                client, machine, is_running = changes.execute(_ADOPT, (record.id, self._id, kind)).fetchone()
                begun_by = machine if is_running and machine not in ("", kind) else None
                adopted.append(_Adopted(record, client, begun_by))
        return adopted

    def _resume(self, adopted: _Adopted) -> None:
        job = self._host.resume(adopted.record, adopted.client)
        self._adopted.remove(adopted)
        if job is None:  # it cannot be composed, which is stored
            self._held.discard(adopted.record.id)
        else:
            job.begun_by = adopted.begun_by

    def _hear(self, kind: str, key: str = "") -> None:
        """Do what somebody tells."""
        followed = self._followed.get(key)
        if kind == "left":
            self._due = 0.0
        elif kind == "follow" and key in self._host.jobs:
            self._watched[key] = time.monotonic() + WATCH_SECONDS
        elif kind == "wish" and key in self._host.jobs:
            for (wish,) in self._database.read("SELECT wish FROM jobs WHERE id = ? AND wish IS NOT NULL", (key,)):
                self._grant(key, wish)
        elif kind == "news" and followed is not None:
            self._update(followed)
        elif kind == "over" and followed is not None:
            self._end(followed)

    def _grant(self, key: str, wish: str) -> None:
        job = self._host.jobs.get(key)
        if job is not None:
            self._host.grant(job, Wish(wish))

    def _send_news(self) -> None:
        """Write down how far those pieces are that are followed elsewhere."""
        for key, until in list(self._watched.items()):
            job = self._host.jobs.get(key)
            if job is None or time.monotonic() > until:
                del self._watched[key]
                self._sent.pop(key, None)
                continue
            events, progress = list(job.events), job.progress
            if self._sent.get(key) != (len(events), progress):
                about = json.dumps({"progress": progress, "timing": job.timing()})
                self._database.read(_NEWS, (about, pack(events), key, CHANNEL, f"news {key}"))
                self._sent[key] = (len(events), progress)
        for followed in self._all_followed():  # of which some may have come here
            if (job := self._host.jobs.get(followed.key)) is not None:
                followed.update(list(job.events), job.progress, job.timing())
                self._host.notify()

    def _update(self, followed: FollowedJob) -> None:
        """Take over what another server has written down of a job."""
        for about, events in self._database.read("SELECT progress, events FROM jobs WHERE id = ?", (followed.key,)):
            if about is not None:
                news = json.loads(about)
                done, total = news["progress"]
                followed.update(unpack(events), (done, total), news["timing"])
                self._host.notify()

    def _end(self, followed: FollowedJob) -> None:
        """Let those go who follow a piece that is over."""
        record = self._history.find(followed.key)
        if record is None or record.state.is_final:
            followed.end([] if record is None else self._history.events(followed.key))
            self._host.notify()


def _bundle_of(record: Record) -> str:
    return str(record.asked.get("bundle"))


@dataclass(frozen=True)
class _Adopted:
    """A piece that this server has taken over, and the kind of machine that began it, if that is another."""

    record: Record
    client: str
    begun_by: str | None

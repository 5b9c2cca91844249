"""Compose over HTTP: a studio for browsers at /, GET /midi/300 for a piece of 300 notes, /docs for everything else.

examples:
  arietta serve                                       every model that came with the program, on port 8000
  arietta serve --port 9000 --most-notes 2000         another port, shorter pieces
  arietta serve --model runs/mine concert             your own model first, which makes it the default
  arietta serve --data pieces/ --keep-pieces 500      keep pieces there, the newest 500 and all favourites
  arietta serve --workers 8 --seats 64                eight processes compose; nothing is lost with one that dies
  arietta serve --history postgresql://me@db/arietta  share pieces and limits with other servers of that database
"""

from __future__ import annotations

import argparse
import errno
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from ..errors import AriettaError, RequestError
from ..files import user_data_folder
from ..model.bundle import list_bundles
from ..names import escape_name, fold_name
from ..program import install_command
from .output import read_integer

if TYPE_CHECKING:
    from ..serve.access import Access
    from ..serve.jobs.limits import Limits
    from ..serve.jobs.models import Models
    from ..serve.jobs.service import Service

LARGEST_PORT = 65_535
MOST_WORKERS = 256
GRACE_SECONDS = 10  # for answers on their way when the server stops; pieces end at once
# What the extra `serve` installs: name of the module -> of the package.
EXTRA = {
    "fastapi": "fastapi",
    "uvicorn": "uvicorn",
    "prometheus_client": "prometheus-client",
    "filelock": "filelock",
    "psutil": "psutil",
    "python_multipart": "python-multipart",
}
KEY_VARIABLE, HISTORY_VARIABLE = "ARIETTA_API_KEY", "ARIETTA_HISTORY"
# Flag, default and help; the defaults are those of `Limits`, which --help must not import (a test compares them).
LIMITS = (
    ("--most-notes", 10_000, "refuse pieces of more notes"),
    ("--most-seconds", 3_600, "refuse pieces of more seconds"),
    ("--most-prompt-notes", 4_000, "refuse prompts of more notes"),
    ("--seats", 32, "pieces that are composed at once"),
    ("--cache-megabytes", 512, "memory for the caches of these pieces, which wait where theirs does not fit"),
    ("--places", 64, "pieces that may wait in the queue besides"),
    ("--most-per-client", 64, "pieces that one client may have under way"),
    ("--file-seconds", 120, "give up a score, picture or report that takes longer to make, by the clock"),
    ("--keep-pieces", 10_000, "store this many of the newest pieces, and all favourites"),
    ("--keep-megabytes", 1_024, "and of the former only as many as fit into this many megabytes"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--host", default="127.0.0.1", help="the address to listen on (default %(default)s: this machine only)"
    )
    parser.add_argument(
        "--port", type=read_integer, default=8000, help="the port; 0 takes a free one (default %(default)s)"
    )
    parser.add_argument(
        "--model",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help=f"names or folders of models, the default first (default all: {', '.join(list_bundles()) or 'none yet'})",
    )
    _add_servers(parser)
    parser.add_argument(
        "--api-key", metavar="KEY", help=f"ask every client for this key; ${KEY_VARIABLE} keeps it out of process lists"
    )
    parser.add_argument(
        "--allow-origin",
        nargs="+",
        action="extend",
        default=[],
        metavar="URL",
        help="let web pages of that site use the service too",
    )
    parser.add_argument(
        "--allow-host",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help="without a key, answer under that name too: that of a proxy's site, or of this machine in its network",
    )
    parser.add_argument(
        "--trusted-proxy",
        nargs="+",
        action="extend",
        default=[],
        metavar="ADDRESS",
        help="believe what a proxy at that address says of its clients' addresses, in X-Forwarded-For",
    )
    for flag, default, text in LIMITS:
        parser.add_argument(flag, type=read_integer, default=default, metavar="N", help=f"{text} (default %(default)s)")


def _add_servers(parser: argparse.ArgumentParser) -> None:
    """Add what says where pieces are stored, and which processes compose them."""
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help=f"the folder for stored pieces (default {str(user_data_folder()).replace(str(Path.home()), '~')})",
    )
    parser.add_argument(
        "--history",
        metavar="ADDRESS",
        help="store pieces in a PostgreSQL database that servers share, postgresql://user@host/name, not in --data; "
        f"${HISTORY_VARIABLE} keeps its password out of process lists",
    )
    parser.add_argument(
        "--threads",
        type=read_integer,
        metavar="N",
        help="threads that a model composes on (default: measured when it is loaded; its notes are the same on any)",
    )
    parser.add_argument(
        "--workers", type=read_integer, default=0, metavar="N", help="processes that compose (0: itself)"
    )
    parser.add_argument(
        "--cluster", default="", metavar="ADDRESS", help="serve from a Ray cluster: auto, HOST:PORT or local"
    )
    parser.add_argument("--replicas", metavar="N", help="servers there, or 1-8 for as many as are needed (default 1)")


def run(arguments: argparse.Namespace) -> int:
    limits = _check(arguments)
    # What its processes load comes from where it is installed, never from the folder in which it is started.
    os.environ["PYTHONSAFEPATH"] = "1"
    import uvicorn

    from ..serve.app import create_app, share_interpreter
    from ..serve.connections import ConnectionLimits, limited_connection
    from ..serve.log import write_log

    share_interpreter()
    if arguments.cluster:
        return _run_on_cluster(arguments, limits)
    # The port is opened first, so that a port that is taken is refused before models are loaded.
    with _listen(arguments.host, arguments.port) as listener:
        proxies = arguments.trusted_proxy
        # First, because it lets this process open more files, which workers take.
        protocol = limited_connection(ConnectionLimits(proxies=frozenset(proxies)), workers=arguments.workers)
        # When the server is told to stop, running pieces stay as they are until it starts again.
        service = _make_service(arguments, limits, lambda: server.should_exit)
        app = create_app(service, _access(arguments))
        config = uvicorn.Config(
            app,
            http=protocol,
            proxy_headers=bool(proxies),
            forwarded_allow_ips=proxies,
            timeout_graceful_shutdown=GRACE_SECONDS,
            access_log=False,
            log_config=None,
        )
        server: uvicorn.Server = uvicorn.Server(config)
        _greet(listener, service.models, has_key=_access(arguments).key is not None)
        write_log(sys.stdout)
        with suppress(KeyboardInterrupt):  # uvicorn stops in good order, then raises the signal again
            server.run(sockets=[listener])
    print("Stopped.")
    return 0


def _run_on_cluster(arguments: argparse.Namespace, limits: Limits) -> int:
    """Serve from a Ray cluster until Ctrl-C."""
    from ..cluster.serving import ReplicaCount, ReplicaPlan, serve_on_cluster

    replicas = arguments.replicas or "1"
    count = ReplicaCount.read(replicas)
    place = _history_place(arguments)
    models, proxies = tuple(map(_found_anywhere, arguments.model)), tuple(arguments.trusted_proxy)
    plan = ReplicaPlan(models, str(place), limits, _access(arguments), arguments.threads or 1, proxies)
    with serve_on_cluster(plan, count, arguments.cluster, arguments.host, arguments.port):
        address = f"http://{arguments.host}:{arguments.port}"
        print(f"Arietta listens on {address}, with {replicas} replicas. Ctrl-C stops it.", flush=True)
        with suppress(KeyboardInterrupt):
            signal.signal(signal.SIGTERM, signal.default_int_handler)  # Ray, once imported, has set its own
            threading.Event().wait()
    print("Stopped.")
    return 0


def _found_anywhere(name: str) -> str:
    """Return a model's name as it is, and a folder by its whole path: processes on a cluster start elsewhere."""
    with suppress(OSError):
        if name not in list_bundles() and Path(name).is_dir():
            return str(Path(name).resolve())
    return name


def _access(arguments: argparse.Namespace) -> Access:
    from ..serve.access import Access

    return Access(
        key=arguments.api_key or os.environ.get(KEY_VARIABLE) or None,
        origins=tuple(arguments.allow_origin),
        hosts=tuple(name.lower() for name in (arguments.host, *arguments.allow_host)),
    )


def _make_service(arguments: argparse.Namespace, limits: Limits, is_stopping: Callable[[], bool]) -> Service:
    from ..serve.jobs.composing.workers import Workers
    from ..serve.jobs.history.pieces import open_history
    from ..serve.jobs.models import Models
    from ..serve.jobs.service import Service

    models = Models(arguments.model, threads=arguments.threads)
    history = open_history(_history_place(arguments))
    composer = None
    if arguments.workers:
        composer = Workers(models, arguments.workers, threads=arguments.threads or 1, is_stopping=is_stopping)
    return Service(models, history, limits, is_stopping=is_stopping, composer=composer)


def _history_place(arguments: argparse.Namespace) -> Path | str:
    """Return the folder or the address where pieces are stored; raises RequestError for both, or no address."""
    address = arguments.history or (None if arguments.data else os.environ.get(HISTORY_VARIABLE))
    if not address:
        return arguments.data or user_data_folder()
    if arguments.data:
        raise RequestError("--history and --data are two places for the same pieces: leave one out")
    from ..serve.jobs.history.postgres import is_address

    if not is_address(address):
        raise RequestError("--history takes the address of a PostgreSQL database, as postgresql://user@host/name")
    return str(address)


def missing_packages() -> list[str]:
    """Return the packages that serving needs and that are not installed."""
    return [package for module, package in EXTRA.items() if find_spec(module) is None]


def _check(arguments: argparse.Namespace) -> Limits:
    """Refuse what cannot be served before anything heavy is loaded; return the limits."""
    if missing := missing_packages():
        raise AriettaError(f"serving needs {', '.join(missing)} too: {install_command('serve')}")
    if not 0 <= arguments.port <= LARGEST_PORT:
        raise RequestError(f"--port must lie in 0-{LARGEST_PORT}, not {arguments.port}")
    if arguments.threads is not None and not 1 <= arguments.threads <= 64:
        raise RequestError(f"--threads must lie in 1-64, not {arguments.threads}")
    if not 0 <= arguments.workers <= MOST_WORKERS:
        raise RequestError(f"--workers must lie in 0-{MOST_WORKERS}, not {arguments.workers}")
    if isinstance(_history_place(arguments), Path) and arguments.cluster:
        raise RequestError("replicas share one history: name its database, --history postgresql://user@host/name")
    if arguments.workers and arguments.cluster:
        raise RequestError("--workers are processes of one machine; on a cluster take --replicas")
    if arguments.replicas and not arguments.cluster:
        raise RequestError("--replicas are servers of a cluster: name it too, as --cluster auto")
    if any("://" not in origin or origin.endswith("/") for origin in arguments.allow_origin):
        raise RequestError("--allow-origin takes addresses without a path, as https://music.example.org")
    from ..serve.jobs.limits import Limits

    names = [flag.removeprefix("--").replace("-", "_") for flag, _, _ in LIMITS]
    chosen = {name: getattr(arguments, name) for name in names}
    seconds = {"most_seconds": float(arguments.most_seconds), "file_seconds": float(arguments.file_seconds)}
    return Limits(**chosen | seconds)


def _listen(host: str, port: int) -> socket.socket:
    """Open the port; raises RequestError where that is impossible."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reasons = {
            errno.EADDRINUSE: f"another program listens there; choose another port, as --port {port + 1}",
            errno.EACCES: "this needs the administrator's rights; ports from 1024 on do not",
            errno.EADDRNOTAVAIL: "this machine has no such address; --host 127.0.0.1 serves this machine only",
        }
        reason = reasons.get(error.errno or 0, f"{error.strerror}; --host takes an address of this machine")
        raise RequestError(f"cannot listen on {host}:{port}: {reason}") from error


def _greet(listener: socket.socket, models: Models, *, has_key: bool) -> None:
    """Print where the server listens, calls to try, and who may call where that is not this machine alone."""
    from ..serve.access import ALL_ADDRESSES

    host, port = listener.getsockname()[:2]
    is_everywhere, is_local = host in ALL_ADDRESSES, ip_address(host).is_loopback
    if is_everywhere:  # which is no address to call
        host = "[::1]" if ":" in host else "127.0.0.1"
    address = f"http://[{host.strip('[]')}]:{port}" if ":" in host else f"http://{host}:{port}"
    key = f' -H "X-API-Key: ${KEY_VARIABLE}"' if has_key else ""
    print(f"Arietta listens on {address}, with {escape_name(', '.join(models.names))}. Ctrl-C stops it. Try:")
    print(f"  curl -OJ{key} '{address}/midi/300'")
    print(f"  curl -OJ{key} '{address}/midi/100?{_style_query(models)}seed=7'")
    print(f"The studio: {address}    All that it can do: {address}/docs")
    if is_everywhere:
        print(f"Other machines call it by the name or address of this one, at port {port}.")
    if not is_local and not has_key:
        print(f"Whoever reaches that port may compose, read and delete here: {KEY_VARIABLE} asks them for a key.")
    sys.stdout.flush()


def _style_query(models: Models) -> str:
    """Name a composer of the default model's in a query, by a surname that no other has: Chopin where it can be."""
    # Names with a slash are of arrangements, which go by their full names.
    surnames = [fold_name(name.split()[-1]) for name in models.bundle().model.composers if " / " not in name]
    unique = [name for name in surnames if surnames.count(name) == 1]
    return f"style={quote('chopin' if 'chopin' in unique else unique[0])}&" if unique else ""

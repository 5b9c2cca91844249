"""Offer composing over HTTP: GET /midi/300 answers with a piece of 300 notes, /docs tells the rest.

examples:
  arietta serve                                       every model that came with the program, on port 8000
  arietta serve --port 9000 --most-notes 2000         another port, shorter pieces
  arietta serve --model runs/mine concert             your own model first, which makes it the default
"""

from __future__ import annotations

import argparse
import errno
import logging
import socket
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import quote

from ..bundle import list_bundles
from ..errors import AriettaError, RequestError
from ..names import fold_name

if TYPE_CHECKING:
    import uvicorn

    from ..serve.models import Models

LARGEST_PORT = 65_535
GRACE_SECONDS = 10  # for answers on their way when the server stops; pieces end at once
EXTRA = ("fastapi", "uvicorn")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (%(default)s: this machine only)")
    parser.add_argument("--port", type=int, default=8000, help="the port; 0 takes a free one (%(default)s)")
    parser.add_argument(
        "--model",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help=f"models to offer, names or folders, the default first (all: {', '.join(list_bundles()) or 'none yet'})",
    )
    parser.add_argument(
        "--most-notes", type=int, default=10_000, metavar="N", help="refuse longer pieces (%(default)s)"
    )


def run(arguments: argparse.Namespace) -> int:
    _check(arguments)
    from ..serve.models import Models

    with _listen(arguments.host, arguments.port) as listener:
        models = Models(arguments.model)
        server = _server(models, arguments.most_notes)
        _tell(_address(listener), models)
        with suppress(KeyboardInterrupt):  # uvicorn stops in good order, then hands the signal on
            server.run(sockets=[listener])
    print("Stopped.")
    return 0


def _check(arguments: argparse.Namespace) -> None:
    from ..composing import MOST_NOTES

    missing = [name for name in EXTRA if find_spec(name) is None]
    if missing:
        raise AriettaError(f"serving needs {' and '.join(missing)} too: pip install 'arietta[serve]'")
    if not 0 <= arguments.port <= LARGEST_PORT:
        raise RequestError(f"--port must lie in 0-{LARGEST_PORT}, not {arguments.port}")
    if not 1 <= arguments.most_notes <= MOST_NOTES:
        raise RequestError(f"--most-notes must lie in 1-{MOST_NOTES}, not {arguments.most_notes}")


def _server(models: Models, most_notes: int) -> uvicorn.Server:
    """Make the server; when it is told to stop, the pieces being composed end too."""
    import uvicorn

    from ..serve.app import create_app
    from ..serve.jobs import Jobs

    app = create_app(models, Jobs(is_stopping=lambda: server.should_exit), most_notes=most_notes)
    server = uvicorn.Server(uvicorn.Config(app, timeout_graceful_shutdown=GRACE_SECONDS))
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)  # requests are told, its own doings are not
    return server


def _listen(host: str, port: int) -> socket.socket:
    """Open the port, before anything is loaded; raises RequestError where that is impossible."""
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


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _tell(address: str, models: Models) -> None:
    print(f"Arietta listens on {address}, with {', '.join(models.names)}. Ctrl-C stops it. Try:")
    print(f"  curl -OJ '{address}/midi/300'")
    print(f"  curl -OJ '{address}/midi/100?{_style(models)}seed=7'")
    print(f"All that it can do: {address}/docs", flush=True)


def _style(models: Models) -> str:
    """Name a composer of the default model's in a query, by a surname that no other has: Chopin where it can be."""
    surnames = [fold_name(name.split()[-1]) for name in models.bundle().model.composers if " / " not in name]
    alone = [name for name in surnames if surnames.count(name) == 1]
    return f"style={quote('chopin' if 'chopin' in alone else alone[0])}&" if alone else ""

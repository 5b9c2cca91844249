"""A connection to a Ray cluster, with its mishaps in sentences.

with open_cluster("auto") as ray:
    ray.get(ray.remote(f).remote())
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any
from urllib.parse import urlsplit

from ..errors import AriettaError
from ..program import install_command

LOCAL = "local"
ANSWER_SECONDS = 10.0


@contextmanager
def open_cluster(address: str) -> Iterator[Any]:
    """Give the module `ray`, connected to "auto" (the cluster of this machine), "local" (a new one) or HOST:PORT.

    What is printed meanwhile goes to standard error. Raises AriettaError where Ray is not installed or no cluster
    answers.
    """
    try:
        import ray
    except ImportError as error:
        raise AriettaError(f"work on a cluster needs Ray: {install_command('cluster')}") from error
    _check_answer(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        ray.init(
            address=address,
            include_dashboard=False if address == LOCAL else None,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise AriettaError(
            f"--cluster {address}: no Ray cluster answers ({reason}); "
            "start one with `ray start --head`, or take `--cluster local`"
        ) from error
    try:
        with redirect_stdout(sys.stderr):  # on which Ray, whatever it is told, writes that a machine was lost
            yield ray
    finally:
        ray.shutdown()


@contextmanager
def serve_module() -> Iterator[Any]:
    """Give the module `ray.serve`; raises AriettaError where it is not installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of Ray's own use of pydantic
            from ray import serve
    except ImportError as error:
        raise AriettaError(f"serving from a cluster needs Ray Serve: {install_command('cluster')}") from error
    yield serve


def machine_address() -> str:
    """Return the address by which a cluster's machines know the one that this runs on."""
    import ray

    return str(ray.util.get_node_ip_address())


def last_line(error: Exception) -> str:
    """Return the last line of an error of Ray's, which says what is above a trace of it."""
    return str(error).strip().rpartition("\n")[2]


def _check_answer(address: str) -> None:
    """See that somebody listens at HOST:PORT: Ray itself waits for minutes, and then ends the process."""
    place = urlsplit(address if "://" in address else f"//{address}")
    try:
        host, port = place.hostname, place.port
    except ValueError as error:
        raise AriettaError(f"--cluster {address}: {error}; write HOST:PORT, auto or local") from error
    if port is None:
        if address not in (LOCAL, "auto"):
            raise AriettaError(f"--cluster {address}: names no port; write HOST:PORT, auto or local")
        return
    try:
        socket.create_connection((host or "", port), ANSWER_SECONDS).close()
    except OSError as error:
        raise AriettaError(
            f"--cluster {address}: nobody answers there ({error}); see that Ray runs there: ray status"
        ) from error

"""The built-in `map` on the machines of a Ray cluster.

with cluster_map("auto") as map_calls:
    for result in map_calls(measure, pieces): ...
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from .. import __version__
from ..corpus.store import READER_VERSION
from ..errors import AriettaError
from .connection import last_line, open_cluster

AHEAD = 2  # calls for each processor of the cluster: so many results at most wait in its memory
RETRIES = 5

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextmanager
def cluster_map(address: str) -> Iterator[Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]]:
    """Give a function that calls as `map` does, in tasks of the cluster at `address`; raises as `open_cluster` does.

    The function that is called is one of a module, and its results come in the order of the items, few at a time. A
    call that is lost with its machine is made again on another. Raises what a call raises of Arietta's errors, and
    AriettaError where a machine has another version of it or a call is lost again and again.
    """
    with open_cluster(address) as ray:
        yield partial(_map, ray)


def _map(ray: Any, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    call = ray.remote(max_retries=RETRIES)(_call)
    running = deque[Any]()
    for item in items:
        running.append(call.remote(function, item))
        if len(running) >= AHEAD * max(int(ray.cluster_resources().get("CPU", 1)), 1):
            yield _result(ray, running.popleft())
    while running:
        yield _result(ray, running.popleft())


def _result(ray: Any, call: Any) -> Any:
    """Wait for a call; a mishap is a sentence."""
    try:
        version, result = ray.get(call)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, AriettaError):
            raise error.cause from None
        raise AriettaError(
            f"a machine of the cluster cannot do its part ({last_line(error)}); install the same Arietta on all"
        ) from error
    except ray.exceptions.RayError as error:
        raise AriettaError(
            f"the cluster lost a part of the work {RETRIES} times ({last_line(error)}); see that its machines stay "
            "up, and give the same command again"
        ) from error
    if version != (__version__, READER_VERSION):
        raise AriettaError(
            f"a machine of the cluster has Arietta {version[0]} with reader {version[1]}, this one "
            f"{__version__} with {READER_VERSION}; install the same on all"
        )
    return result


def _call(function: Callable[[Item], Result], item: Item) -> tuple[tuple[str, int], Result]:
    """Call on a machine of the cluster; the result comes with the versions of what made it."""
    return (__version__, READER_VERSION), function(item)

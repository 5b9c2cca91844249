"""Serve from the machines of a Ray cluster: replicas of the server behind Ray Serve's proxy, with one history.

    with serve_on_cluster(ReplicaPlan(("piano",), "postgresql://host/name", Limits(), Access()), "auto", at):
        ...

Each replica is the app of `arietta serve` with an engine of its own. A piece belongs to the replica that was asked for
it; any replica answers for it, by the history that they share. Ray puts another replica in the place of one that is
lost, and the others compose its pieces meanwhile. Between the least and the most replicas there are as many as the
pieces under way need.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from ..errors import AriettaError, RequestError
from ..serve.access import Access
from ..serve.jobs.limits import Limits
from ..serve.jobs.service import Service
from .connection import last_line, open_cluster, serve_module

APP = "arietta"
CONTROLLER = "SERVE_CONTROLLER_ACTOR"  # by which Ray Serve is found
LOAD = "load"  # what replicas report for the number that is needed
HEALTH_SECONDS = 2.0  # between two looks at a replica
STOP_SECONDS = 10.0
MOST_REQUESTS = 1_000  # that a replica answers at once, streams among them
SCALE_UP_SECONDS, SCALE_DOWN_SECONDS = 5.0, 120.0
_service: Service | None = None  # of the replica that this process is


@dataclass(frozen=True)
class ReplicaPlan:
    """What each replica is made of; the history is the address of a database, `proxies` are those of trusted ones."""

    models: tuple[str, ...]
    history: str
    limits: Limits
    access: Access
    threads: int | None = 1
    proxies: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReplicaCount:
    """How many replicas there are at least and at most."""

    least: int
    most: int

    @classmethod
    def read(cls, text: str) -> ReplicaCount:
        """Read "2" or "1-8"; raises RequestError for anything else."""
        least, dash, most = text.partition("-")
        if not (least.isdecimal() and (most.isdecimal() or not dash)):
            raise RequestError(f"--replicas takes a number, or a range as 1-8, not {text}")
        count = cls(int(least), int(most or least))
        if not 1 <= count.least <= count.most <= 1_000:
            raise RequestError(f"--replicas must lie in 1-1000, the least first, not {text}")
        return count


@contextmanager
def serve_on_cluster(plan: ReplicaPlan, count: ReplicaCount, cluster: str, host: str, port: int) -> Iterator[None]:
    """Serve at a host and port of the cluster's first machine until the block ends.

    What else Ray Serve has on the cluster stays as it is. Raises AriettaError where no cluster answers, Ray Serve
    listens elsewhere already, or no replica starts there.
    """
    with open_cluster(cluster) as ray, serve_module() as serve:
        is_ours = not _listens_at(ray, host, port)
        failures = (RuntimeError, ray.exceptions.RayError, serve.exceptions.RayServeException)
        try:
            try:
                serve.start(http_options={"host": host, "port": port, "location": "HeadOnly"})
                serve.run(_application(serve, plan, count), name=APP, route_prefix="/")
            except failures as error:
                raise AriettaError(f"no replica can be started ({last_line(error)}); see `serve status`") from error
            yield
        finally:
            with suppress(TimeoutError, *failures):
                if is_ours and set(serve.status().applications) <= {APP}:
                    serve.shutdown()
                else:
                    serve.delete(APP)


def _listens_at(ray: Any, host: str, port: int) -> bool:
    """Return whether Ray Serve listens there already; raises AriettaError where it listens elsewhere."""
    try:
        controller = ray.get_actor(CONTROLLER, namespace="serve")
    except ValueError:
        return False
    options = ray.get(controller.get_http_config.remote())
    if (options.host, options.port) != (host, port):
        place = f"--host {options.host} --port {options.port}"
        raise AriettaError(f"Ray Serve listens on this cluster already: take {place}, or stop it with `serve shutdown`")
    return True


def _application(serve: Any, plan: ReplicaPlan, count: ReplicaCount) -> Any:
    def build() -> Any:
        return _build_app(plan)

    scaling: dict[str, Any] = {"num_replicas": count.least}
    if count.most > count.least:
        scaling = {
            "num_replicas": None,
            "autoscaling_config": {
                "min_replicas": count.least,
                "max_replicas": count.most,
                "upscale_delay_s": SCALE_UP_SECONDS,
                "downscale_delay_s": SCALE_DOWN_SECONDS,
                "policy": {"policy_function": f"{__name__}:{needed_replicas.__name__}"},
            },
        }
    deployment = serve.deployment(serve.ingress(build)(_Replica)).options(
        name=APP,
        ray_actor_options={"num_cpus": 1},
        max_ongoing_requests=MOST_REQUESTS,
        health_check_period_s=HEALTH_SECONDS,
        graceful_shutdown_timeout_s=STOP_SECONDS,
        **scaling,
    )
    return deployment.bind()


def needed_replicas(context: Any) -> tuple[int, dict[str, Any]]:
    """Say how many replicas the pieces under way need, as Ray Serve asks it of a policy."""
    loads = (context.aggregated_metrics or {}).get(LOAD, {})
    return max(math.ceil(sum(loads.values())), context.capacity_adjusted_min_replicas), {}


class _Replica:
    """What Ray asks a replica beside its requests."""

    def record_autoscaling_stats(self) -> dict[str, float]:
        """Report how many replicas the pieces would fill that wait or are composed here."""
        return {LOAD: 0.0 if _service is None else sum(_service.scheduler.counts) / _service.limits.seats}

    def check_health(self) -> None:
        """Raise where pieces asked for now would not be composed."""
        if _service is not None:
            _service.scheduler.check_ready()


def _build_app(plan: ReplicaPlan) -> Any:
    """Make the app in the process of a replica."""
    global _service  # noqa: PLW0603 - what Ray asks of a replica has no other way to it
    from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

    from ..serve.app import create_app, share_interpreter
    from ..serve.jobs.history.pieces import open_history
    from ..serve.jobs.models import Models

    share_interpreter()
    _service = Service(Models(plan.models, threads=plan.threads), open_history(plan.history), plan.limits)
    app = create_app(_service, plan.access)
    if plan.proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(plan.proxies))
    return app

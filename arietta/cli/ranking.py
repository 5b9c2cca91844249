"""The takes of one call held against each other: how `--best` ranks them, and the table that tells of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..errors import RequestError
from .table import table

if TYPE_CHECKING:
    from ..client import Client, ServedTake
    from ..evaluation.ranking import Judged
    from ..generation.loop import Take
    from ..model.bundle import Bundle
    from ..originality.index import PassageIndex


def check_best(best: int | None, count: int) -> None:
    """Refuse to choose more takes than are composed, or none."""
    if best is not None and not 1 <= best <= count:
        raise RequestError(f"--best must lie in 1-{count}, as many as --count composes, not {best}")


def rank_here(takes: Sequence[Take], best: int, bundle: Bundle, index: PassageIndex | None) -> list[Judged[Take]]:
    """Rank takes composed on this machine; `index` tells what is original, where there is one."""
    from ..evaluation.ranking import choose, usual_nats
    from ..generation.original import originality_of

    def is_original(take: Take) -> bool:
        assert index is not None
        return originality_of(take, index).is_inside

    return choose(takes, best, usual_nats=usual_nats(bundle), is_original=None if index is None else is_original)


def rank_served(takes: Sequence[ServedTake], best: int, client: Client) -> list[Judged[ServedTake]]:
    """Rank takes that a server composed, which looked them up itself if it could, and tells what its models can."""
    from ..evaluation.ranking import choose

    def is_original(take: ServedTake) -> bool:
        return take.originality is None or take.originality.is_inside

    is_known = all(take.originality is not None for take in takes)
    usual = {model["name"]: model["nats_per_note"] for model in client.models()}.get(takes[0].model)
    return choose(takes, best, usual_nats=usual, is_original=is_original if is_known else None)


def ranking_lines(judged: Sequence[Judged[Any]]) -> str:
    """A row a take, the best first: its score, the parts of it, and whether it is kept."""
    names = [name for name in judged[0].parts if all(name in one.parts for one in judged)]
    rows = [
        [
            f"seed {one.take.request.seed}",
            f"{one.score:.2f}",
            *(f"{one.parts[name]:.2f}" for name in names),
            "kept" if one.is_chosen else "",
        ]
        for one in judged
    ]
    return table(["nearest to real music first", "score", *names, ""], rows)

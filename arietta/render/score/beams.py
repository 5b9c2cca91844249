"""Beams: which of the values shorter than a quarter note are joined, and by how many lines.

Values that share a beat are joined, as far as no rest or longer value comes between them.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...music.meter import Bar
from .voices import Value

FLAGS = {"eighth": 1, "16th": 2, "32nd": 3}  # lines that a value would carry alone


def find_beams(voice: Sequence[Value], bar: Bar) -> dict[int, list[str]]:
    """Start of each beamed value -> its beams, the outermost first: begin, continue, end, or a hook."""
    groups: list[list[Value]] = [[]]
    beat = -1
    for value in voice:
        before, beat = beat, (value.start - bar.start) // bar.beat
        is_beamable = value.name in FLAGS and bool(value.notes)
        if not is_beamable or beat != before:
            groups.append([])
        if is_beamable:
            groups[-1].append(value)
    beams = {}
    for group in (group for group in groups if len(group) > 1):
        counts = [0, *(FLAGS[value.name] for value in group), 0]
        for value, before, count, after in zip(group, counts, counts[1:], counts[2:], strict=False):
            # A line that no neighbour shares is a hook towards one of them.
            hook = "backward hook" if before else "forward hook"
            kinds = {(True, True): "continue", (True, False): "end", (False, True): "begin", (False, False): hook}
            beams[value.start] = [kinds[before >= level, after >= level] for level in range(1, count + 1)]
    return beams

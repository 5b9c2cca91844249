"""Annotated performances: which files of MAESTRO they are, where their notes begin, and which beats are dotted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from arietta.music.midi import write_midi
from arietta.music.notes import Notes
from arietta.train.beats.performances import AnnotatedPerformance, read_performances
from tests.support.beats import march

HEADER = "midi_performance,performance_annotations,maestro_midi_performance,start,end\n"


def test_a_side_of_the_split_is_read_with_its_beats(tmp_path: Path) -> None:
    write_midi(tmp_path / "a.midi", Notes.of([1.0, 5.5, 6.0, 9.0], [0.3] * 4, [50, 60, 62, 64], [64] * 4))
    (tmp_path / "maestro-v3.0.0.csv").write_text("split,midi_filename\ntest,a.midi\ntrain,b.midi\n")
    rows = [f"X/Waltz/Player0{n}M.mid,marks.txt,{file},5.5,8.5\n" for n, file in enumerate(("{maestro}/a.midi", ""))]
    (tmp_path / "metadata.csv").write_text(HEADER + "".join(rows))
    (tmp_path / "marks.txt").write_text(
        "0.5\t0.5\tdb,6/8,0\n1.0\t1.0\tb\n\n1.5\t1.5\tdb,3/4\n2\t2\tbR\n2.5\t2.5\tdb,-2\n"
    )
    (performance,) = read_performances(tmp_path, tmp_path, "test")
    assert (performance.name, performance.work) == ("X/Waltz/Player00M", "X/Waltz")
    assert performance.notes.onset.tolist() == pytest.approx([0.5, 1.0])
    assert performance.beats.tolist() == [0.5, 1.0, 1.5, 2.0, 2.5]
    assert performance.downbeats.tolist() == [0.5, 1.5, 2.5]
    assert performance.is_compound.tolist() == [True, True, False, False, False]
    assert not list(read_performances(tmp_path, tmp_path, "train"))


def test_annotations_that_count_from_elsewhere_are_told_by_notes_that_are_not_there() -> None:
    beats, flags = 0.5 + 0.5 * np.arange(64), np.zeros(64, dtype=bool)
    for late, is_aligned in ((0.0, True), (0.12, False)):
        assert AnnotatedPerformance("a", "a", march(), beats + late, flags, flags).is_aligned == is_aligned

"""An order is described as it is asked for again."""

from __future__ import annotations

from arietta.generation.loop import Generation
from arietta.generation.request import Request
from arietta.generation.scores.in_time import Fitting
from arietta.generation.scores.pulse import Pulse
from arietta.model.engine import OnnxEngine
from arietta.music.notes import Notes
from arietta.music.reading import ReadPiece
from arietta.serve.jobs.composing.order import Order, upload_record
from arietta.serve.jobs.job import Job, State


def test_a_piece_in_a_tempo_is_described_by_its_tempo_and_not_by_one_of_its_takes(tiny_engine: OnnxEngine) -> None:
    order = Order(Request(notes=20, seed=3, pulse=Pulse.read(90, "3/4")), name="Waltz", best=1)
    fitting = Fitting(order.request, tiny_engine.bundle)
    job = Job("a" * 16, Generation(fitting.requests[0], tiny_engine.bundle), tiny_engine, fitting=fitting)
    record = order.record(job, "b" * 16)
    assert (record.name, record.title) == ("Waltz", "tiny-any-0020-notes-90bpm-3-4-seed-3")
    asked = {name: record.asked[name] for name in ("bpm", "metre", "notes", "seed", "order", "best")}
    assert asked == {"bpm": 90.0, "metre": "3/4", "notes": 20, "seed": 3, "order": "b" * 16, "best": 1}
    assert '"bpm": 90.0' in record.texts[0] and '"best"' not in record.texts[0]


def test_music_from_elsewhere_is_done_and_says_what_was_left_out_of_it() -> None:
    notes = Notes.of([0.0], [1.0], [60], [64])
    plain, told = (
        upload_record(ReadPiece(notes, None, remarks), "Duet") for remarks in ((), ("Drums were left out.",))
    )
    assert plain.asked == {"verb": "upload", "notes": 1, "prompt_notes": 1} and plain.state is State.DONE
    assert told.asked == plain.asked | {"remarks": ["Drums were left out."]} and told.id != plain.id

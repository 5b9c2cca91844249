from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from arietta.cli import main
from arietta.cli.inspect import MOST_COMPOSERS
from arietta.codecs.note import NoteCodec
from arietta.corpus.store import StoreWriter
from arietta.model import bundle
from arietta.model.config import ModelConfig, style_conditions
from arietta.music.meter import Meter, Tempo, TimeSignature
from arietta.music.midi import write_midi
from arietta.music.notes import Notes
from arietta.render.roll import roll_svg
from tests.support.midi_bytes import midi, off, on, track

REQUEST = {"bundle": "0123456789abcdef", "model": "concert", "notes": 6, "prompt_notes": 4, "seed": 7, "style": "Grieg"}


@pytest.fixture
def piece(tmp_path: Path, waltz: Notes) -> Path:
    """A MIDI file that says how it was composed."""
    path = tmp_path / "piece.mid"
    write_midi(path, waltz, title="Waltz", texts=["a remark", "arietta " + json.dumps(REQUEST)])
    return path


@pytest.fixture
def corpus(tmp_path: Path, waltz: Notes) -> Path:
    """Thirty pieces by as many composers, two of one work, and three files that were rejected."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    writer = StoreWriter(folder)
    spans = [writer.append(waltz) for _ in range(30)]
    lines = [line(index, composer=f"Composer {index:02}", work=f"work-{max(index, 1):02}") for index in range(30)]
    rejected = {"state": "rejected", "index": None, "notes": None, "seconds": None, "split": ""}
    lines += [
        line(index, **rejected, reason=why)
        for index, why in enumerate(("duplicate: as 1.mid", "too short", "duplicate: as 2.mid"))
    ]
    writer.finish(lines, spans)
    return folder


def line(number: int, **values: Any) -> dict[str, Any]:
    fixed = {
        "file": f"{number}.mid",
        "folder": "mine",
        "sha256": f"{number:064x}",
        "state": "kept",
        "reason": "",
        "index": number,
        "notes": 12,
        "seconds": 360.0,
        "composer": "",
        "title": f"Title {number}",
        "work": "w",
        "split": ("train", "train", "test")[number % 3],
        "source": "measured",
        "corpus": "own",
        "licence": "CC0",
    }
    return fixed | values


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model's folder that is whole, but for what an engine would look at."""
    folder = tmp_path / "small"
    folder.mkdir()
    for name in bundle.FILES:
        (folder / name).write_bytes(name.encode() * 10_000)
    codec = NoteCodec()
    config = ModelConfig(
        "transformer",
        codec.field_sizes,
        64,
        2,
        context=128,
        conditions=style_conditions(("Edvard Grieg",), ("measured",)),
    )
    (folder / "card.json").write_text(json.dumps({"data": "none", "figures": {"nats_per_note": 12.25}}))
    bundle.write_description(folder, config, codec, bits=8, prefill_chunk=64)
    return folder


def shown(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """What `arietta inspect` prints; nothing of it is wider than 100 letters, but for a path."""
    assert main(["inspect", *map(str, words)]) == 0
    written = capsys.readouterr()
    assert written.err == ""
    first, *others = written.out.splitlines()
    assert max(len(text) for text in others if not text.startswith("piano roll")) <= 100
    return f"{first}\n" + "\n".join(others)


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert main(["inspect", *map(str, words)]) == 2
    written = capsys.readouterr()
    assert written.out == ""
    return written.err


def value(text: str, name: str) -> str:
    return next(row.removeprefix(f"  {name} ").strip() for row in text.splitlines() if row.startswith(f"  {name} "))


def test_what_a_file_merges_and_leaves_out_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drums, path = track((0, on(36, channel=9)), (480, off(36, 9))), tmp_path / "band.mid"
    path.write_bytes(midi(track((0, on(60)), (480, off(60))), drums))
    assert value(shown(capsys, path), "as read") == "Drums were left out: 1 note on channel 10."
    assert "as read" not in shown(capsys, path, "--tracks", "0")
    path.write_bytes(midi(drums))
    text = shown(capsys, path)
    assert (value(text, "notes"), value(text, "as read")) == ("none", "Drums were left out: 1 note on channel 10.")


def test_a_piece_is_told_in_figures(piece: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, piece)
    assert text.startswith(f"{piece}\n")
    assert value(text, "notes") == "12"
    assert value(text, "length").startswith("0:04 (4.40 s)")
    assert value(text, "pitches") == "A2 to E4, A#3 on average"
    assert value(text, "velocities").startswith("50 to 82")
    assert value(text, "pedal") == "pressed 2 times, down 64% of the time"
    assert value(text, "together").startswith("1.1 keys on average, 2 at most")


def test_a_pieces_histograms_count_every_note(piece: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pitches, steps = shown(capsys, piece).split("notes by pitch")[1].split("time from one onset")
    assert [int(row.split()[3]) for row in pitches.splitlines()[1:] if "█" in row] == [3, 9]
    assert value(steps, "     below 10 ms").split()[0] == "3"


def test_the_request_in_a_piece_is_found_again(piece: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, piece).partition("composed by Arietta")[2]
    assert {name: value(text, name) for name in REQUEST} == {name: str(found) for name, found in REQUEST.items()}


@pytest.mark.parametrize("text", ["arietta {not json", "arietta", "arietta [1]"])
def test_texts_that_are_no_request_are_passed_over(
    text: str, tmp_path: Path, waltz: Notes, capsys: pytest.CaptureFixture[str]
) -> None:
    write_midi(tmp_path / "a.mid", waltz, texts=[text])
    assert "composed by" not in shown(capsys, tmp_path / "a.mid")


def test_a_roll_is_drawn_with_the_prompt_that_the_request_tells_of(
    piece: Path, waltz: Notes, capsys: pytest.CaptureFixture[str]
) -> None:
    out = piece.with_suffix(".svg")
    assert str(out) in shown(capsys, piece, "--roll", out)
    assert out.read_text() == roll_svg(waltz, title="piece", prompt_seconds=1.5)


def test_a_roll_may_be_a_png(piece: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown(capsys, piece, "--roll", piece.with_suffix(".png"))
    assert Image.open(io.BytesIO(piece.with_suffix(".png").read_bytes())).width == 2400


def test_a_piece_without_notes_is_said_to_have_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_midi(tmp_path / "empty.mid", Notes.of())
    text = shown(capsys, tmp_path / "empty.mid", "--roll", tmp_path / "empty.png")
    assert value(text, "notes") == "none"
    assert "onset" not in text


def test_one_note_has_no_times_between_onsets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_midi(tmp_path / "one.mid", Notes.of([0], [1], [60], [64]))
    assert "from one onset to the next\n" not in shown(capsys, tmp_path / "one.mid")


def test_tracks_choose_what_is_read(piece: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert value(shown(capsys, piece, "--tracks", "0"), "notes") == "none"
    assert value(shown(capsys, piece, "--tracks", "0,1"), "notes") == "12"
    with pytest.raises(SystemExit):
        main(["inspect", str(piece), "--tracks", "piano"])
    assert "'piano' is not a list of track numbers" in capsys.readouterr().err


def test_a_bad_file_is_refused_with_its_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.mid").write_bytes(b"MThd")
    assert refused(capsys, tmp_path / "bad.mid").startswith(f"arietta: {tmp_path / 'bad.mid'}: ")


def test_a_corpus_is_counted(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, corpus)
    assert value(text, "kept") == "30 of 33 files"
    assert value(text, "works") == "29"
    assert (value(text, "notes"), value(text, "hours")) == ("360", "3.00")
    assert (value(text, "duplicate"), value(text, "too short")) == ("2", "1")
    assert value(text, "train").split() == ["20", "240", "2.00"]
    assert value(text, "test").split() == ["10", "120", "1.00"]


def test_a_corpus_names_its_first_composers_and_largest_works(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, corpus)
    assert text.count("  Composer ") == MOST_COMPOSERS
    assert "... and 10 more" in text
    assert value(text, "work-01").split() == ["2", "24", "0.20"]


def test_a_corpus_that_was_cut_short_is_refused(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (corpus / "spans.npy").unlink()
    assert "arietta ingest" in refused(capsys, corpus)


def test_a_models_folder_is_described(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, model)
    assert text.startswith("small (")
    assert value(text, "model").startswith("transformer, 2 layers of width 64, 4 heads")
    assert value(text, "window") == "128 rows"
    assert value(text, "weights") == "8 bits"
    assert value(text, "codec").startswith("note: time 128, symbol 104")
    assert value(text, "composers") == "Edvard Grieg"
    assert value(text, "step.onnx") == "0.09"
    assert value(text, "together") == "0.39"
    assert value(text, "  nats_per_note") == "12.25"


def test_what_lies_in_a_models_folders_is_listed_too(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (model / "originality").mkdir()
    (model / "originality" / "places.npy").write_bytes(bytes(2_000_000))
    text = shown(capsys, model)
    assert value(text, "originality/places.npy") == "2.00"
    assert value(text, "together") == "2.39"


def test_a_model_that_came_with_the_program_is_found_by_its_name(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shipped = tmp_path / "models"
    shutil.copytree(model, shipped / "small-grand")
    monkeypatch.setattr(bundle, "model_folders", lambda: [shipped])
    assert shown(capsys, "small-grand").startswith("small-grand (")


def test_each_of_many_composers_of_a_card_has_a_line_and_limits_are_sentences(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    composers = {f"Composer {number}": {"first": 0.5, "takes": 20} for number in range(9)}
    card = {"recognised": composers, "limits": ["It wanders.", "It is young."], "sampling": {"top_p": 0.5}}
    (model / "card.json").write_text(json.dumps(card))
    lines = [" ".join(line.split()) for line in shown(capsys, str(model)).splitlines()]
    assert "Composer 8 first 0.5, takes 20" in lines
    assert "limits It wanders. It is young." in lines and "top_p 0.5" in lines


def test_an_altered_model_is_refused(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (model / "weights.bin").write_bytes(b"")
    assert "weights.bin: altered" in refused(capsys, model)


def test_a_folder_of_something_else_is_refused_with_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "neither a corpus" in refused(capsys, tmp_path)


def test_what_is_nowhere_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no such file or folder" in refused(capsys, tmp_path / "nowhere.mid")


@pytest.mark.parametrize("flag", [("--roll", "x.png"), ("--tracks", "0")])
def test_flags_for_pieces_are_refused_elsewhere(
    flag: tuple[str, str], corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "are for a MIDI file" in refused(capsys, corpus, *flag)


@pytest.mark.parametrize(
    ("loudness", "shown"), [([[0, 34], [7.5, 100]], "34@0,100@7.5"), ([[0], "x", {}], "x"), ([["a", "b"]], "a")]
)
def test_what_was_wished_for_is_shown_as_it_is_typed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], loudness: list[object], shown: str
) -> None:
    texts = ["arietta " + json.dumps({"notes": 1, "loudness": loudness})]
    write_midi(tmp_path / "a.mid", Notes.of([0.0], [1.0], [60], [64]), texts=texts)
    assert main(["inspect", str(tmp_path / "a.mid")]) == 0
    assert shown in capsys.readouterr().out


def test_the_bars_of_a_file_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    meter = Meter((TimeSignature(0, 3, 4), TimeSignature(4.0, 2, 4)), (Tempo(0, 2 / 3),))
    notes = Notes.of([0.5 * n for n in range(12)], [0.4] * 12, [60] * 12, [64] * 12)
    write_midi(tmp_path / "waltz.mid", notes, grid=meter)
    told = value(shown(capsys, tmp_path / "waltz.mid"), "bars")
    assert told == "4 in 3/4, then 1 other time signature; 90 quarter notes a minute on average"
    # A last note that fills a bar is in it, and a pickup is told.
    waltz = Meter((TimeSignature(0, 1, 4), TimeSignature(0.5, 3, 4)), (Tempo(0, 0.5),))
    full = Notes.of([0.0, *(0.5 + 1.5 * bar for bar in range(9))], [0.5] + [1.5] * 9, [60] * 10, [64] * 10)
    write_midi(tmp_path / "full.mid", full, grid=waltz)
    told = value(shown(capsys, tmp_path / "full.mid"), "bars")
    assert told == "9 in 3/4 after a pickup of 1/4; 120 quarter notes a minute on average"
    write_midi(tmp_path / "free.mid", notes)
    assert "quarter notes a minute" not in shown(capsys, tmp_path / "free.mid")


def test_a_training_run_is_told_how_it_becomes_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run.json").write_text("{}", encoding="utf-8")
    assert f"arietta export {tmp_path}" in refused(capsys, tmp_path)

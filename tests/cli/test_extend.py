"""`arietta extend` goes on from the end of a piece, or from where it is cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from arietta.cli import main
from arietta.errors import RequestError
from arietta.generation.verbs import extend
from arietta.model.engine import OnnxEngine
from arietta.music.meter import KeySignature, Meter, Tempo, TimeSignature
from arietta.music.midi import midi_bytes, read_meter, read_midi
from arietta.music.notes import Notes


def test_a_piece_is_cut_and_goes_on(
    tmp_path: Path, waltz: Notes, filling_engine: OnnxEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.mid").write_bytes(midi_bytes(waltz))
    words = ["extend", str(tmp_path / "a.mid"), "--notes", "9", "--seed", "1", "-o", str(tmp_path / "b.mid")]
    model = ["--model", str(filling_engine.bundle.path)]
    assert main([*words, *model, "--at", "0:02.5", "--density", "9"]) == 0
    assert "9 new notes of 16" in capsys.readouterr().out
    assert len(read_midi(tmp_path / "b.mid")) == 7 + 9
    assert main([*words, *model]) == 0
    assert len(read_midi(tmp_path / "b.mid")) == len(waltz) + 9
    assert main([*words, *model, "--at", "0"]) == 2
    assert "no note begins before 0 s" in capsys.readouterr().err


def test_a_file_without_a_piano_is_read_and_a_remark_says_so(
    tmp_path: Path, waltz: Notes, filling_engine: OnnxEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    violin = midi_bytes(waltz).replace(b"\xc0\x00", b"\xc0\x28")
    (tmp_path / "violin.mid").write_bytes(violin)
    words = ["extend", str(tmp_path / "violin.mid"), "--notes", "3", "--model", str(filling_engine.bundle.path)]
    assert main([*words, "-o", str(tmp_path / "b.mid")]) == 0
    assert f"It has no piano: {len(waltz)} notes for strings are played on one." in capsys.readouterr().err


def test_the_metre_of_the_piece_is_kept_and_its_keys_unless_it_is_moved(
    tmp_path: Path, filling_engine: OnnxEngine
) -> None:
    signature, key = TimeSignature(0.0, 3, 4), KeySignature(0.0, 2)
    meter = Meter((signature,), (Tempo(0.0, 0.5),), (key,))
    onset = [0.5 * number for number in range(12)]
    pitch = [62, 66, 69, 74, 67, 71, 64, 69, 73, 62, 66, 69]
    (tmp_path / "a.mid").write_bytes(midi_bytes(Notes.of(onset, [0.4] * 12, pitch, [64] * 12), grid=meter))
    words = ["extend", str(tmp_path / "a.mid"), "--notes", "3", "--model", str(filling_engine.bundle.path)]
    out = tmp_path / "b.mid"
    words += ["--seed", "1", "-o", str(out)]
    assert main(words) == 0
    kept, notes = read_meter(out), read_midi(out)
    assert kept is not None and (kept.signatures, kept.tempos[0].quarter) == ((signature,), 0.5)
    assert kept.keys == (key,) and notes.onset[:12].tolist() == onset
    assert main([*words, "--key", "C major", "--transpose"]) == 0
    moved = read_meter(out)
    assert moved is not None and moved.signatures == (signature,) and moved.keys == ()
    assert main([*words, "--grid", "90"]) == 0
    assert (666_667).to_bytes(3, "big") in out.read_bytes()
    assert np.abs(read_midi(out).onset - notes.onset).max() <= 0.001
    assert main([*words, "--grid", "none"]) == 0
    assert read_meter(out) is None


def test_given_music_is_moved_to_the_key_first(
    tmp_path: Path, filling_engine: OnnxEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    pitch = [62, 66, 69, 74, 67, 71, 64, 69, 73, 62]
    onset = [0.5 * number for number in range(10)]
    (tmp_path / "a.mid").write_bytes(midi_bytes(Notes.of(onset, [0.4] * 10, pitch, [64] * 10)))
    words = ["extend", str(tmp_path / "a.mid"), "--notes", "3", "--model", str(filling_engine.bundle.path)]
    words += ["-o", str(tmp_path / "b.mid"), "--transpose"]
    assert main([*words, "--key", "C major"]) == 0
    assert "transposed by -2 semitones." in capsys.readouterr().err
    assert read_midi(tmp_path / "b.mid").pitch[:10].tolist() == [number - 2 for number in pitch]
    assert '"transposed": -2' in (tmp_path / "b.mid").read_bytes().decode("latin-1")
    assert main(words) == 2
    assert "say which" in capsys.readouterr().err


def test_bars_are_a_length_and_a_moment_where_the_music_has_a_metre(
    tmp_path: Path, filling_engine: OnnxEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    meter = Meter((TimeSignature(0.0, 3, 4),), (Tempo(0.0, 0.5),))
    onset = 0.5 * np.arange(24)
    given = Notes.of(onset, np.full(24, 0.4), 60 + np.arange(24) % 12, np.full(24, 64))
    (tmp_path / "a.mid").write_bytes(midi_bytes(given, grid=meter))
    words = ["extend", str(tmp_path / "a.mid"), "--model", str(filling_engine.bundle.path), "--seed", "1"]
    for asked, end in ((["--bars", "4"], 18.0), (["--at", "bar", "5", "--bars", "2"], 9.0)):
        assert main([*words, *asked, "-o", str(tmp_path / "b.mid")]) == 0
        notes = read_midi(tmp_path / "b.mid")
        assert notes.seconds == pytest.approx(end, abs=0.06)  # the last key may be up 50 ms before
        kept = read_meter(tmp_path / "b.mid")
        assert kept is not None and kept.signatures == meter.signatures
    (take,) = extend(tmp_path / "a.mid", bars=4, seed=1, model=filling_engine)
    assert take.notes.seconds == pytest.approx(18.0, abs=0.06)
    regenerated = ["regenerate", *words[1:], "--from", "bar", "3", "--to", "bar 5", "-o", str(tmp_path / "b.mid")]
    assert main(regenerated) == 0
    stays = (onset < 3.0) | (onset >= 6.0)
    assert set(onset[stays].round(2)) <= set(read_midi(tmp_path / "b.mid").onset.round(2))
    (tmp_path / "plain.mid").write_bytes(midi_bytes(given))
    for asked, sentence in (
        (["--bars", "4", "--notes", "3"], "not allowed with argument"),
        (["--bars", "0"], "bars must lie in 1-2000, not 0"),
        (["--at", "bar", "99"], "bar 99: the music has bars 1 to 8"),
    ):
        assert exit_code([*words, *asked]) == 2
        assert sentence in capsys.readouterr().err
    words[1] = str(tmp_path / "plain.mid")
    for asked, sentence in ((["--bars", "4"], "that has a metre"), (["--at", "bar 2"], "has no bars that are known")):
        assert main([*words, *asked]) == 2
        assert sentence in capsys.readouterr().err
    with pytest.raises(RequestError, match="one of them alone"):
        extend(tmp_path / "a.mid", bars=4, notes=3, model=filling_engine)


def exit_code(words: list[str]) -> object:
    try:
        return main(words)
    except SystemExit as ended:
        return ended.code

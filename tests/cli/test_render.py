from __future__ import annotations

import os
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from arietta.cli import main
from arietta.music.meter import Meter, Tempo, TimeSignature
from arietta.music.midi import midi_bytes, read_meter, read_midi, read_texts
from arietta.music.notation import read_score
from arietta.music.notes import Notes
from arietta.names import is_shown
from arietta.render.audio import audio_bytes
from arietta.render.roll import roll_png
from arietta.render.score import score_musicxml
from tests.support.file_names import NAMES
from tests.support.midi_bytes import midi, off, on, track
from tests.support.written import headed, note
from tests.support.written import score as written_score


@pytest.fixture
def piece(tmp_path: Path, waltz: Notes) -> Path:
    path = tmp_path / "waltz.mid"
    path.write_bytes(midi_bytes(waltz))
    return path


def said(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = main(["render", *map(str, words)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_each_kind_is_written_beside_the_file(piece: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, piece, "--to", "wav,ogg,musicxml,svg,png")
    assert code == 0
    notes = read_midi(piece)
    assert piece.with_suffix(".wav").read_bytes() == audio_bytes(notes, "wav")
    assert piece.with_suffix(".ogg").read_bytes()[:4] == b"OggS"
    assert piece.with_suffix(".musicxml").read_text() == score_musicxml(notes, title="waltz")
    assert piece.with_suffix(".png").read_bytes() == roll_png(notes, title="waltz")
    assert piece.with_suffix(".svg").read_text().startswith("<svg")
    assert [line.split()[0].rpartition(".")[2] for line in out.splitlines()] == ["wav", "ogg", "musicxml", "svg", "png"]


def test_one_file_may_be_named(piece: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, piece, "-o", tmp_path / "Sound.WAV")[0] == 0
    assert (tmp_path / "Sound.WAV").read_bytes()[:4] == b"RIFF"


def test_many_files_go_into_a_folder_that_is_made(
    piece: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other.mid").write_bytes(piece.read_bytes())
    assert said(capsys, piece, tmp_path / "other.mid", "--to", "svg", "-o", tmp_path / "out" / "put")[0] == 0
    assert sorted(path.name for path in (tmp_path / "out" / "put").iterdir()) == ["other.svg", "waltz.svg"]


def test_the_title_may_be_chosen(piece: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, piece, "--to", "musicxml", "--title", "Für Elise")[0] == 0
    assert "<work-title>Für Elise</work-title>" in piece.with_suffix(".musicxml").read_text()


def test_it_says_what_a_score_leaves_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trill = Notes.of([0.03 * step for step in range(16)], [0.03] * 16, [72, 74] * 8, [64] * 16)
    low = Notes.of([0.0, 1.0, 2.0], [1.0] * 3, [11, 12, 0], [64] * 3)
    both = Notes.of([0.0, 1.0, 1.03, 1.06], [0.03] * 4, [5, 60, 60, 60], [64] * 4)
    for notes, remarks in (
        (trill, ["notes faster than thirty-seconds, whose rhythm is not exact: 16"]),
        (low, ["notes left out below C0, MusicXML's lowest octave: 2"]),
        (
            both,
            [
                "notes left out below C0, MusicXML's lowest octave: 1",
                "notes faster than thirty-seconds, whose rhythm is not exact: 3",
            ],
        ),
    ):
        (tmp_path / "a.mid").write_bytes(midi_bytes(notes))
        code, out, _ = said(capsys, tmp_path / "a.mid", "--to", "musicxml,svg")
        assert code == 0
        first, second = out.splitlines()
        assert first.split("; ")[1:] == remarks and second == str(tmp_path / "a.svg")


def test_it_says_whose_bars_a_score_has(piece: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "beats and bars found: a first draft" in said(capsys, piece, "--to", "musicxml")[1]
    waltz_time = (0, bytes([0xFF, 0x58, 4, 3, 2, 24, 8]))
    events = [event for _ in range(12) for event in ((0, on(72)), (480, off(72)))]
    (tmp_path / "written.mid").write_bytes(midi(track(waltz_time, *events)))
    assert "bars of the file" in said(capsys, tmp_path / "written.mid", "--to", "musicxml")[1]
    assert "<beats>3</beats>" in (tmp_path / "written.musicxml").read_text()


def test_a_pdf_is_an_engraved_score(piece: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("verovio")
    assert said(capsys, piece, "--to", "pdf")[0] == 0
    assert piece.with_suffix(".pdf").read_bytes()[:5] == b"%PDF-"


@pytest.mark.parametrize(("package", "kind"), [("verovio", "pdf"), ("soundfile", "wav")])
def test_a_missing_package_is_told_in_a_sentence(
    package: str, kind: str, piece: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from arietta.render import piano as sampled_piano

    sampled_piano._sample.cache_clear()
    monkeypatch.setitem(sys.modules, package, None)
    code, out, err = said(capsys, piece, "--to", f"{kind},svg,mid", "-o", piece.parent / "made")
    assert [Path(line).suffix for line in out.splitlines()] == [".svg", ".mid"], "what can be made is made"
    assert code == 2 and f"needs the package {package}: " in err and "pip install" in err and len(err.splitlines()) == 1
    assert not (piece.parent / "made" / piece.name).with_suffix(f".{kind}").exists()


def test_what_cannot_be_asked_is_told_before_any_work(
    piece: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = {
        (): "say what to make",
        ("-o", str(tmp_path / "a.aiff"), "--to", "wav"): "ends in none of .wav",
        (str(piece), "-o", str(tmp_path / "a.wav")): "several need a folder",
        ("-o", str(tmp_path / "a.wav"), "--to", "png"): "several need a folder",
    }
    for words, reason in asked.items():
        code, _, err = said(capsys, piece, *words)
        assert code == 2 and reason in err, words
    assert [path.name for path in tmp_path.iterdir()] == ["waltz.mid"]


def test_an_unknown_kind_is_told_with_those_there_are(piece: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["render", str(piece), "--to", "wav,aiff"])
    assert "'aiff' is none of wav, ogg, flac, mp3, mid, musicxml, pdf, svg, png" in capsys.readouterr().err


def test_kinds_may_be_called_as_people_call_them(
    piece: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(capsys, piece, "--to", "midi,xml", "-o", tmp_path / "made")[0] == 0
    assert sorted(path.suffix for path in (tmp_path / "made").iterdir()) == [".mid", ".musicxml"]


def test_a_file_that_is_no_midi_is_refused_by_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "song.mid").write_bytes(b"la la la")
    code, _, err = said(capsys, tmp_path / "song.mid", "--to", "wav")
    assert code == 2 and "song.mid: not a MIDI file" in err


def test_a_folder_that_is_a_file_is_refused(piece: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "taken").write_text("")
    code, _, err = said(capsys, piece, "--to", "svg", "-o", tmp_path / "taken")
    assert code == 2 and "taken: is a file" in err


@pytest.mark.posix
@pytest.mark.parametrize("raw", NAMES)
def test_files_of_any_name_become_scores_and_pictures_beside_them(
    tmp_path: Path, waltz: Notes, capsys: pytest.CaptureFixture[str], raw: bytes
) -> None:
    source = tmp_path / os.fsdecode(raw + b".mid")
    source.write_bytes(midi_bytes(waltz))
    code, out, _ = said(capsys, source, "--to", "svg,musicxml")
    assert code == 0
    assert all(is_shown(letter) for letter in out.replace("\n", ""))
    assert len(list(tmp_path.iterdir())) == 3
    for path in tmp_path.iterdir():
        if path.suffix != ".mid":
            ET.fromstring(path.read_bytes())


def test_drums_that_are_left_out_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "drums.mid"
    path.write_bytes(midi(track((0, on(38, channel=9)), (480, off(38, channel=9)))))
    code, _, err = said(capsys, path, "--to", "svg")
    assert code == 0 and err.startswith(f"{path}: ") and "drum" in err


@pytest.mark.posix
def test_a_pipe_needs_to_be_told_where_to_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe")
    code, _, err = said(capsys, tmp_path / "pipe", "--to", "svg")
    assert code != 0 and "-o FOLDER" in err


def test_a_score_becomes_midi_with_its_metre(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "minuet.musicxml").write_bytes(written_score([note("C4", 3), note("D4", 3)], beats=3))
    assert said(capsys, tmp_path / "minuet.musicxml", "--to", "mid")[0] == 0
    meter = read_meter(tmp_path / "minuet.mid")
    assert meter is not None and (meter.signatures[0].beats, meter.signatures[0].unit) == (3, 4)
    assert read_midi(tmp_path / "minuet.mid").onset.tolist() == [0, 1.5]


def test_the_title_and_the_composer_of_a_score_go_along(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "a.musicxml"
    source.write_bytes(headed(written_score([note("C4", 4)]), "Minuet", "Petzold"))
    assert said(capsys, source, "--to", "mid,musicxml,svg", "-o", tmp_path / "out")[0] == 0
    assert read_score(tmp_path / "out" / "a.musicxml").heading == ("Minuet", "Petzold")
    assert read_texts(tmp_path / "out" / "a.mid")[0] == "Composer: Petzold"
    assert b"Minuet" in (tmp_path / "out" / "a.mid").read_bytes()
    assert "Minuet" in (tmp_path / "out" / "a.svg").read_text()
    assert said(capsys, source, "-o", tmp_path / "b.musicxml", "--title", "Another")[0] == 0
    assert read_score(tmp_path / "b.musicxml").heading == ("Another", "Petzold")


def test_a_grid_changes_the_tempo_and_not_the_seconds(piece: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = piece.with_name("at-90.mid")
    assert said(capsys, piece, "-o", out, "--grid", "90")[0] == 0
    assert np.abs(read_midi(out).onset - read_midi(piece).onset).max() <= 0.001
    assert (666_667).to_bytes(3, "big") in out.read_bytes()


@pytest.mark.parametrize("is_sure", [True, False])
def test_bars_that_are_found_are_laid_under_a_file_where_they_are_sure(
    is_sure: bool, piece: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    meter = Meter((TimeSignature(0.0, 3, 4),), (Tempo(0.0, 0.5),))
    monkeypatch.setattr("arietta.music.beats.find_sure_meter", lambda _: meter if is_sure else None)
    out = piece.with_name("bars.mid")
    code, text, _ = said(capsys, piece, "-o", out, "--grid", "found")
    assert code == 0 and ("bars found" if is_sure else "no bars are sure enough") in text
    laid = read_meter(out)
    assert (laid is not None and laid.signatures[0].beats == 3) if is_sure else laid is None
    assert np.abs(read_midi(out).onset - read_midi(piece).onset).max() <= 0.001


def test_midi_of_itself_is_refused_and_so_are_absurd_grids(piece: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = said(capsys, piece, "--to", "mid")
    assert code == 2 and "would be lost" in err
    for grid, sentence in (
        ("10000", "5 to 990 can be laid"),
        ("nan", "5 to 990"),
        ("fast", "neither a number of beats"),
    ):
        with pytest.raises(SystemExit) as ended:
            said(capsys, piece, "-o", piece.with_name("b.mid"), "--grid", grid)
        assert ended.value.code == 2 and sentence in capsys.readouterr().err


def test_a_metre_is_corrected_by_hand_and_the_file_keeps_it(
    tmp_path: Path, waltz: Notes, capsys: pytest.CaptureFixture[str]
) -> None:
    meter = Meter((TimeSignature(0.0, 3, 4),), (Tempo(0.0, 0.5),))
    (tmp_path / "a.mid").write_bytes(midi_bytes(waltz, grid=meter))
    words = ["render", str(tmp_path / "a.mid"), "-o", str(tmp_path / "b.mid")]
    assert main([*words, "--beats", "double", "--downbeat", "1"]) == 0
    kept = read_meter(tmp_path / "b.mid")
    assert kept is not None and kept.tempos[0].quarter == pytest.approx(0.25)
    assert kept.bar_lines(2.0)[:2].tolist() == pytest.approx([0.25, 1.0])
    assert np.abs(read_midi(tmp_path / "b.mid").onset - waltz.onset).max() <= 0.001
    assert main([*words, "--downbeat=-1"]) == 0
    kept = read_meter(tmp_path / "b.mid")
    assert kept is not None and kept.bar_lines(2.0)[0] == pytest.approx(1.0)
    # Without a metre it is the found one that is corrected.
    (tmp_path / "a.mid").write_bytes(midi_bytes(waltz))
    assert main([*words, "--beats", "half"]) == 0 and read_meter(tmp_path / "b.mid") is not None
    (tmp_path / "a.mid").write_bytes(midi_bytes(Notes.of()))
    assert main([*words, "--beats", "half"]) == 2
    assert "no notes whose beats" in capsys.readouterr().err


def test_beats_are_tapped_and_bar_lines_moved(tmp_path: Path, waltz: Notes, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.mid").write_bytes(midi_bytes(waltz))
    taps = tmp_path / "beats.txt"
    taps.write_text("0.0\n0.6\n1.2\n1.8\n")
    words = ["render", str(tmp_path / "a.mid"), "-o", str(tmp_path / "b.mid"), "--taps", str(taps), "--metre", "2/4"]
    assert main(words) == 0
    kept = read_meter(tmp_path / "b.mid")
    assert kept is not None and kept.signatures[0].beats == 2
    line = float(kept.bar_lines(3.0)[1])
    assert main([*words, "--bar-line", f"2=0:{line + 0.1:05.2f}"]) == 0
    moved = read_meter(tmp_path / "b.mid")
    assert moved is not None and float(moved.bar_lines(3.0)[1]) == pytest.approx(line + 0.1, abs=0.01)
    assert np.abs(read_midi(tmp_path / "b.mid").onset - waltz.onset).max() <= 0.001
    taps.write_text("one two\n")
    assert main(words) == 2
    assert "beats.txt: line 1 begins with no second: 'one two'" in capsys.readouterr().err
    for wrong in ("9", "a=1", "9=noon"):
        with pytest.raises(SystemExit):
            main([*words, "--bar-line", wrong])


def test_a_tempo_and_a_metre_are_laid_under_the_same_seconds(
    piece: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [piece, "--to", "mid,musicxml,png", "-o", tmp_path / "bars", "--grid", "90", "--metre", "3/4"]
    code, out, _ = said(capsys, *words)
    laid = read_meter(tmp_path / "bars" / "waltz.mid")
    assert code == 0 and laid is not None and "bars of 3/4 at 90 from the beginning" in out
    assert laid.bar_lines(5.0)[:3].tolist() == pytest.approx([0.0, 2.0, 4.0], abs=0.001)
    assert np.abs(read_midi(tmp_path / "bars" / "waltz.mid").onset - read_midi(piece).onset).max() <= 0.001
    constant = Meter.constant(90, TimeSignature(0.0, 3, 4))
    score = (tmp_path / "bars" / "waltz.musicxml").read_text()
    assert score == score_musicxml(read_midi(piece), title="waltz", meter=constant)
    assert (tmp_path / "bars" / "waltz.png").read_bytes() == roll_png(read_midi(piece), title="waltz", meter=constant)
    assert said(capsys, *words[:-1], "6/8", "--downbeat", "3")[0] == 0
    laid = read_meter(tmp_path / "bars" / "waltz.mid")
    assert laid is not None and laid.tempos[0].quarter == pytest.approx(60 / 90 / 1.5, abs=1e-6)
    assert laid.bar_lines(2.0)[:2].tolist() == pytest.approx([2 / 3, 2.0], abs=0.001)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--to mid --grid 90 --bar-line 2=0:01", "--grid and --bar-line each say"),
        ("--to mid --grid 90 --metre 3/4 --beats half", "--grid and --beats each say"),
        ("--to mid --grid 90 --downbeat 1", "--grid and --downbeat each say"),
        ("--to mid --grid none --metre 3/4", "--grid and --metre each say"),
        ("--to pdf --grid found", "--grid lays a .mid"),
        ("--to musicxml,png --grid 90", "--grid lays a .mid"),
        ("--to wav --metre 3/4", "--metre is about bars, and sound has none"),
        ("--to mid --downbeat 65", "within 64 beats, not 65"),
        ("--to mid --downbeat=-65", "within 64 beats, not -65"),
        ("waltz.mid --to mid --taps beats.txt", "--taps is of one piece"),
        ("--to mid --metre 3/0 --grid 90", "3/0"),
    ],
)
def test_what_would_be_lost_of_a_metre_is_refused(
    words: str, sentence: str, piece: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(piece.parent)
    code, _, err = said(capsys, "waltz.mid", *words.split(), "-o", "made")
    assert code == 2 and sentence in err
    assert not list(piece.parent.glob("made/*"))


def test_several_bar_lines_are_moved_in_order(piece: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = piece.with_name("moved.mid")
    words = [piece, "-o", out, "--taps", piece.with_name("beats.txt"), "--metre", "2/4"]
    piece.with_name("beats.txt").write_text("0:00.0\n0:01\n2\n3\n4\n5\n")
    assert said(capsys, *words, "--bar-line", "2=0:02.2", "--bar-line", "3=0:04.3")[0] == 0
    meter = read_meter(out)
    assert meter is not None and meter.bar_lines(4.0)[:3].tolist() == pytest.approx([0.0, 2.2, 4.3], abs=0.01)


def test_it_says_how_bars_of_a_score_were_corrected(
    piece: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [piece, "-o", tmp_path / "a.musicxml", "--metre", "3/4", "--downbeat", "1"]
    assert "beats and bars found, corrected by --metre, --downbeat" in said(capsys, *words)[1]
    (tmp_path / "beats.txt").write_text("0\n1\n2\n")
    assert "a.musicxml  beats that were tapped" in said(capsys, *words[:3], "--taps", tmp_path / "beats.txt")[1]


def test_found_bars_are_corrected_in_the_same_command(
    piece: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(piece.parent)
    code, _, _ = said(capsys, "waltz.mid", "--grid", "found", "--downbeat", "1", "-o", "corrected.mid")
    assert code == 0 and Path("corrected.mid").exists()

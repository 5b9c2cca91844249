"""`arietta compose`: the files it writes, what it says of them, and what it refuses before any work."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from arietta import write_midi
from arietta.cli import compose as verb
from arietta.cli import main
from arietta.music.midi import read_midi, read_texts
from arietta.music.notes import Notes
from tests.support.midi_bytes import midi, off, on, track

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def theme(waltz: Notes, tmp_path: Path) -> Path:
    write_midi(tmp_path / "theme.mid", waltz)
    return tmp_path / "theme.mid"


def run(bundle: Path, *words: str | Path) -> int:
    return main(["compose", "--model", str(bundle), *map(str, words)])


def refusal(capsys: Capture, bundle: Path, *words: str | Path) -> str:
    """The one sentence that a refused call prints, without the usage that argparse puts before its own."""
    try:
        code = run(bundle, *words)
    except SystemExit as left:
        code = left.code
    written = capsys.readouterr()
    lines = written.err.splitlines()
    usage = [line for line in lines if line.startswith(("usage:", " "))]
    assert (code, written.out) == (2, "")
    assert len(lines) - len(usage) == 1
    return lines[-1]


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# What it writes


def test_by_default_it_writes_300_notes_into_pieces(tiny_bundle: Path, here: Path) -> None:
    assert run(tiny_bundle, "--seed", "7") == 0
    assert files(here) == ["pieces/tiny-any-0300-notes-seed-7.mid"]
    assert len(read_midi(here / files(here)[0])) == 300


def test_it_says_what_it_made_and_how_to_hear_it(tiny_bundle: Path, here: Path, capsys: Capture) -> None:
    run(tiny_bundle, "--notes", "40", "--seed", "7", "--style", "grieg")
    written = capsys.readouterr()
    made = here / "pieces" / "tiny-edvard-grieg-0040-notes-seed-7.mid"
    seconds = read_midi(made).seconds
    assert written.err == ""
    assert f"Composed 40 notes, {seconds:.1f} s of music," in written.out
    style = "with tiny in the style of Edvard Grieg"
    for told in (" notes/s)", style, "seed 7:", f"  {made.relative_to(here)}\n", "Hear it:"):
        assert told in written.out


def test_of_a_piece_in_a_tempo_it_says_how_many_takes_were_composed(
    tiny_bundle: Path, here: Path, capsys: Capture
) -> None:
    run(tiny_bundle, "--notes", "20", "--bpm", "90", "--metre", "3/4", "--seed", "7", "-o", "cue.mid")
    said = capsys.readouterr().out
    assert " s (8 takes, of which this one fits best), with" in said and "notes/s" not in said
    assert "Fit to 90 beats a minute in 3/4: 0." in said and "--grid 90 --metre 3/4 -o cue-bars.mid" in said


def test_a_drawn_seed_is_told_and_gives_the_same_piece_again(tiny_bundle: Path, here: Path) -> None:
    run(tiny_bundle, "--notes", "30", "-o", "first.mid")
    (text,) = [text for text in read_texts(here / "first.mid") if text.startswith("arietta")]
    seed = text.split('"seed": ')[1].split(",")[0]
    run(tiny_bundle, "--notes", "30", "--seed", seed, "-o", "second.mid")
    assert (here / "first.mid").read_bytes() == (here / "second.mid").read_bytes()


def test_the_same_call_gives_the_same_file(tiny_bundle: Path, theme: Path, here: Path) -> None:
    for name in ("one.mid", "two.mid"):
        run(tiny_bundle, "--notes", "30", "--seed", "3", "--style", "chopin", "--prompt", theme, "-o", name)
    assert (here / "one.mid").read_bytes() == (here / "two.mid").read_bytes()


def test_seconds_are_kept(tiny_bundle: Path, here: Path) -> None:
    run(tiny_bundle, "--seconds", "12.5", "--seed", "1")
    assert files(here) == ["pieces/tiny-any-12.5-seconds-seed-1.mid"]
    assert abs(read_midi(here / files(here)[0]).seconds - 12.5) <= 0.25


def test_count_writes_as_many_takes_with_seeds_counted_up(tiny_bundle: Path, here: Path) -> None:
    run(tiny_bundle, "--notes", "20", "--count", "3", "--seed", "41", "-o", "takes")
    assert files(here) == [f"takes/tiny-any-0020-notes-seed-{seed}.mid" for seed in (41, 42, 43)]
    run(tiny_bundle, "--notes", "20", "--seed", "42", "-o", "again.mid")
    assert (here / "again.mid").read_bytes() == (here / "takes/tiny-any-0020-notes-seed-42.mid").read_bytes()


def test_a_prompt_is_kept_and_said(tiny_bundle: Path, theme: Path, here: Path, waltz: Notes, capsys: Capture) -> None:
    run(tiny_bundle, "--notes", "25", "--prompt", theme, "-o", "on.mid")
    made = read_midi(here / "on.mid")
    assert len(made) == len(waltz) + 25
    for name in ("onset", "pitch", "velocity"):
        assert np.allclose(getattr(made, name)[: len(waltz)], getattr(waltz, name), atol=0.001)
    assert f"Composed 25 notes after {len(waltz)} of the prompt" in capsys.readouterr().out


DRUMS = (0, on(36, channel=9)), (480, off(36, 9))


def test_a_prompt_of_drums_alone_is_refused_with_that_reason(here: Path, capsys: Capture) -> None:
    (here / "drums.mid").write_bytes(midi(track(*DRUMS)))
    assert main(["compose", "--prompt", "drums.mid"]) == 2
    reason = "drums.mid: has no notes to go on from. Drums were left out: 1 note on channel 10"
    assert reason in capsys.readouterr().err


def test_what_is_left_out_of_a_prompt_is_told(tiny_bundle: Path, here: Path, capsys: Capture) -> None:
    (here / "band.mid").write_bytes(midi(track((0, on(60)), (480, off(60)), *DRUMS)))
    assert run(tiny_bundle, "--notes", "5", "--prompt", "band.mid", "-o", "on.mid") == 0
    assert "band.mid: Drums were left out: 1 note on channel 10.\n" in capsys.readouterr().err


@pytest.mark.posix
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_prompt_may_be_a_pipe(tiny_bundle: Path, theme: Path, here: Path) -> None:
    os.mkfifo(here / "pipe")
    writer = threading.Thread(target=(here / "pipe").write_bytes, args=(theme.read_bytes(),), daemon=True)
    writer.start()
    assert run(tiny_bundle, "--notes", "5", "--prompt", "pipe", "-o", "on.mid") == 0
    writer.join()
    assert len(read_midi(here / "on.mid")) == len(read_midi(theme)) + 5


@pytest.mark.parametrize(("asked", "kept"), [(3, 3), (12, 12), (500, 12)])
def test_prompt_notes_takes_the_first(tiny_bundle: Path, theme: Path, here: Path, asked: int, kept: int) -> None:
    run(tiny_bundle, "--notes", "10", "--prompt", theme, "--prompt-notes", str(asked), "-o", "on.mid")
    assert len(read_midi(here / "on.mid")) == kept + 10


def test_a_picture_and_the_sound_are_made_beside_each_file(tiny_bundle: Path, here: Path, capsys: Capture) -> None:
    run(tiny_bundle, "--notes", "15", "--seed", "1", "--count", "2", "--roll", "--sound")
    stems = [f"pieces/tiny-any-0015-notes-seed-{seed}" for seed in (1, 2)]
    made = [f"{stem}{suffix}" for stem in stems for suffix in (".mid", ".ogg", ".png")]
    assert files(here) == made
    out = capsys.readouterr().out
    assert all(f"  {name}\n" in out for name in made) and f" play {made[0]}\n" in out


@pytest.mark.parametrize("name", ["cue.mid", "CUE.MID", "cue.midi", "new/folder/cue.mid"])
def test_a_name_that_ends_in_mid_is_a_file(tiny_bundle: Path, here: Path, name: str) -> None:
    run(tiny_bundle, "--notes", "5", "-o", name)
    assert files(here) == [name]


@pytest.mark.parametrize("name", ["takes", "takes/", "new/takes", "takes.v2", "."])
def test_any_other_name_is_a_folder(tiny_bundle: Path, here: Path, name: str) -> None:
    run(tiny_bundle, "--notes", "5", "--seed", "1", "-o", name)
    assert files(here) == [str(Path(name) / "tiny-any-0005-notes-seed-1.mid")]


def test_a_folder_that_ends_in_mid_is_a_folder(tiny_bundle: Path, here: Path) -> None:
    (here / "old.mid").mkdir()
    run(tiny_bundle, "--notes", "5", "--seed", "1", "-o", "old.mid")
    assert files(here) == ["old.mid/tiny-any-0005-notes-seed-1.mid"]


def test_a_style_with_an_accent_and_spaces_is_a_plain_file_name(tiny_bundle: Path, here: Path) -> None:
    run(tiny_bundle, "--notes", "5", "--seed", "1", "--style", "Frédéric Chopin")
    assert files(here) == ["pieces/tiny-frederic-chopin-0005-notes-seed-1.mid"]


def test_an_older_file_of_that_name_is_replaced(tiny_bundle: Path, here: Path) -> None:
    (here / "cue.mid").write_text("old")
    run(tiny_bundle, "--notes", "5", "-o", "cue.mid")
    assert len(read_midi(here / "cue.mid")) == 5


# --best


def test_best_writes_the_best_of_the_takes_and_ranks_them_all(tiny_bundle: Path, here: Path, capsys: Capture) -> None:
    assert run(tiny_bundle, "--notes", "60", "--count", "4", "--seed", "41", "--best", "2", "-o", "takes") == 0
    out = capsys.readouterr().out
    table = [line.split() for line in out.splitlines() if re.match(r" +seed 4\d ", line)]
    assert sorted(words[1] for words in table) == ["41", "42", "43", "44"]
    scores = [float(words[2]) for words in table]
    assert scores == sorted(scores, reverse=True)
    assert [words[-1] == "kept" for words in table] == [True, True, False, False]
    kept = sorted(words[1] for words in table[:2])
    assert files(here) == [f"takes/tiny-any-0060-notes-seed-{seed}.mid" for seed in kept]
    assert out.count("Composed 60 notes") == 2 and "beside 3 more" in out


def test_a_take_that_is_chosen_is_what_it_is_alone(tiny_bundle: Path, here: Path) -> None:
    run(tiny_bundle, "--notes", "60", "--count", "3", "--seed", "1", "--best", "1", "-o", "cue.mid")
    (seed,) = [text.split('"seed": ')[1].split(",")[0] for text in read_texts(here / "cue.mid") if "seed" in text]
    run(tiny_bundle, "--notes", "60", "--seed", seed, "-o", "alone.mid")
    assert (here / "cue.mid").read_bytes() == (here / "alone.mid").read_bytes()


# What it refuses


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--notes", "0"], "arietta: notes must lie in 1-100000, not 0"),
        (["--notes", "-1"], "arietta: notes must lie in 1-100000, not -1"),
        (["--notes", "1000000"], "arietta: notes must lie in 1-100000, not 1000000"),
        (["--notes", "abc"], "arietta compose: error: argument --notes: 'abc' is not a whole number"),
        (["--notes", "2.5"], "arietta compose: error: argument --notes: '2.5' is not a whole number"),
        (["--seconds", "0"], "arietta: seconds must lie in 1-21600, not 0.0"),
        (["--seconds", "long"], "arietta compose: error: argument --seconds: 'long' is not a number"),
        (["--seconds", "nan"], "arietta: seconds must lie in 1-21600, not nan"),
        (["--notes", "5", "--seconds", "5"], "argument --seconds: not allowed with argument --notes"),
        (["--seed", "-1"], "arietta: seed must lie in 0-4294967295, not -1"),
        (["--seed", "x"], "arietta compose: error: argument --seed: 'x' is not a whole number"),
        (["--seed", "4294967295", "--count", "2"], "arietta: seed must lie in 0-4294967295, not 4294967296"),
        (["--temperature", "0"], "arietta: temperature must lie in 0.05-3.0, not 0.0"),
        (["--top-p", "1.5"], "arietta: top_p must lie above 0 and at most at 1, not 1.5"),
        (["--min-p", "-1"], "arietta: min_p must lie at 0 or above and below 1, not -1.0"),
        (["--count", "0"], "arietta: --count must lie in 1-100, not 0"),
        (["--count", "101"], "arietta: --count must lie in 1-100, not 101"),
        (["--count", "8", "--best", "9"], "arietta: --best must lie in 1-8, as many as --count composes, not 9"),
        (["--best", "2"], "arietta: --best must lie in 1-1, as many as --count composes, not 2"),
        (["--count", "3", "--best", "0"], "arietta: --best must lie in 1-3, as many as --count composes, not 0"),
        (["--count", "3", "--best", "2", "-o", "one.mid"], "arietta: one.mid: 2 takes need a folder, not one file"),
        (["--style", "greig"], "arietta: tiny does not know the style 'greig'; nearest: Edvard Grieg"),
        (["--style", "bach"], "style 'bach' may be Carl Philipp Emanuel Bach or Johann Sebastian Bach"),
        (["--prompt", "none.mid"], "arietta: none.mid: there is no such file"),
        (["--prompt-notes", "5"], "arietta: --prompt-notes says how much of --prompt FILE to take: name the file"),
        (["--count", "2", "-o", "one.mid"], "arietta: one.mid: 2 takes need a folder, not one file"),
        (["--original"], "arietta: tiny came without an index of its training music, which tells what is original"),
        (["--original", "--index", "none"], "arietta: none: no index of passages here"),
        (["--index", "none"], "arietta: --index is where --original looks: say --original too"),
        (["--index", "none", "--server", "http://127.0.0.1:1"], "arietta: --index is a folder of this machine"),
    ],
)
def test_bad_values_are_one_sentence_and_code_2(
    tiny_bundle: Path, here: Path, capsys: Capture, words: list[str], sentence: str
) -> None:
    assert sentence in refusal(capsys, tiny_bundle, *words)
    assert not list(here.iterdir())


@pytest.mark.parametrize("count", ["0", "-4"])
def test_a_prompt_of_no_notes_cannot_be_asked(
    tiny_bundle: Path, theme: Path, here: Path, capsys: Capture, count: str
) -> None:
    sentence = refusal(capsys, tiny_bundle, "--prompt", theme, "--prompt-notes", count)
    assert sentence == f"arietta: --prompt-notes must be 1 or more, not {count}"


def test_a_prompt_without_notes_is_refused(tiny_bundle: Path, here: Path, capsys: Capture) -> None:
    write_midi(here / "silence.mid", Notes.of())
    sentence = refusal(capsys, tiny_bundle, "--prompt", "silence.mid")
    assert sentence == "arietta: silence.mid: has no notes to go on from"


def test_a_prompt_that_is_too_long_is_refused_with_the_way_out(tiny_bundle: Path, here: Path, capsys: Capture) -> None:
    count = np.arange(10_001)
    long = Notes.of(count * 0.05, np.full(10_001, 0.04), 60 + count % 12, np.full(10_001, 64))
    write_midi(here / "long.mid", long)
    sentence = refusal(capsys, tiny_bundle, "--prompt", "long.mid")
    assert "the prompt has 10001 notes" in sentence and "--prompt-notes" in sentence
    assert run(tiny_bundle, "--prompt", "long.mid", "--prompt-notes", "50", "--notes", "5", "-o", "on.mid") == 0


def test_a_prompt_that_is_no_midi_file_is_refused(tiny_bundle: Path, here: Path, capsys: Capture) -> None:
    (here / "song.mp3").write_bytes(os.urandom(500))
    assert "song.mp3: not a MIDI file" in refusal(capsys, tiny_bundle, "--prompt", "song.mp3")


@pytest.mark.parametrize("out", ["notes.txt", "notes.txt/piece.mid", "notes.txt/deep/er"])
def test_a_file_where_a_folder_is_needed_is_refused(tiny_bundle: Path, here: Path, capsys: Capture, out: str) -> None:
    (here / "notes.txt").write_text("mine")
    assert "is a file; -o takes a .mid file or a folder" in refusal(capsys, tiny_bundle, "-o", out)
    assert (here / "notes.txt").read_text() == "mine"


def test_an_unknown_model_is_refused(here: Path, capsys: Capture) -> None:
    assert "arietta: conzerto: no model of that name and no such folder" in refusal(capsys, Path("conzerto"))


def test_a_damaged_model_is_refused(here: Path, capsys: Capture) -> None:
    (here / "mine").mkdir()
    assert "mine: a folder without a model" in refusal(capsys, here / "mine")


@pytest.mark.posix
@pytest.mark.skipif(getattr(os, "geteuid", int)() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_refused_before_any_work(tiny_bundle: Path, here: Path, capsys: Capture) -> None:
    (here / "closed").mkdir(mode=0o555)
    assert "closed: you may not write there" in refusal(capsys, tiny_bundle, "-o", "closed")
    assert "closed/new" in refusal(capsys, tiny_bundle, "-o", "closed/new")


def test_permission_is_asked_before_any_work(
    tiny_bundle: Path, here: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "pieces: you may not write there; -o takes another folder" in refusal(capsys, tiny_bundle)


def test_a_full_disk_is_one_sentence_and_leaves_nothing(
    tiny_bundle: Path, here: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    (here / "cue.mid").write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    sentence = refusal(capsys, tiny_bundle, "--notes", "5", "-o", "cue.mid")
    assert (
        sentence
        == "arietta: cue.mid: cannot be written (No space left on device); free some room, or choose another folder"
    )
    assert files(here) == ["cue.mid"] and (here / "cue.mid").read_text() == "old"


def test_an_interruption_leaves_nothing_half_written(
    tiny_bundle: Path, here: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("arietta.generation.loop.Generation.push", interrupted)
    assert run(tiny_bundle, "--notes", "5") == 130
    assert "interrupted" in capsys.readouterr().err
    assert files(here) == []


# How it is met


def test_help_teaches_with_examples(capsys: Capture) -> None:
    with pytest.raises(SystemExit) as left:
        main(["compose", "--help"])
    assert left.value.code == 0
    text = capsys.readouterr().out
    flags = "--notes --seconds --model --style --prompt --prompt-notes --seed --temperature --top-p --min-p --count -o"
    flags += " --best"
    assert all(flag in text for flag in flags.split())
    assert text.count("arietta compose") >= 4
    assert "(default 300)" in text and "within 2 %" in text


def test_every_example_of_the_help_can_be_asked() -> None:
    parser = argparse.ArgumentParser(exit_on_error=False)
    verb.add_arguments(parser)
    examples = re.findall(r"^  arietta compose((?: \S+)*)", verb.__doc__, re.MULTILINE)
    assert len(examples) == 8
    for example in examples:
        parser.parse_args(example.split())


def test_the_command_itself_composes(tiny_bundle: Path, here: Path) -> None:
    call = [sys.executable, "-m", "arietta", "compose", "--model", str(tiny_bundle), "--notes", "5", "--seed", "1"]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert files(here) == ["pieces/tiny-any-0005-notes-seed-1.mid"]


def test_a_prompt_is_never_written_over(tiny_bundle: Path, theme: Path, here: Path, capsys: Capture) -> None:
    before = theme.read_bytes()
    words = ("compose", "--model", str(tiny_bundle), "--notes", "5", "--prompt", str(theme), "-o", str(theme))
    assert main(list(words)) != 0
    assert theme.read_bytes() == before and "is the music that was given" in capsys.readouterr().err


def test_composing_imports_nothing_that_judges(tiny_bundle: Path, tmp_path: Path) -> None:
    words = ["compose", "--notes", "3", "--seed", "1", "--model", str(tiny_bundle), "-o", str(tmp_path / "piece.mid")]
    code = f"import sys; from arietta.cli import main; main({words!r}); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "'arietta.generation.loop'" in done.stdout
    assert "'arietta.evaluation" not in done.stdout and "'numpy.ma'" not in done.stdout

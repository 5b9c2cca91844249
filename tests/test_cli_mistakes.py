"""Every verb answers the usual mistakes with a sentence: which file or option, what is wrong, and what helps."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from arietta.cli import VERBS, main
from arietta.music.midi import write_midi
from arietta.music.notes import Notes

MISSING, NO_MIDI, FOLDER = "see how its name", "export the music anew, as a MIDI file", "name one of those in it"
NO_MODEL, NO_CORPUS, STYLES = "the models here are: ", "make one with `arietta ingest`", "`arietta styles` lists all"
NO_RUN, CHOICES, FOLDERS = "name the folder that its --out named", "choose from", "name folders with MIDI files"

# Of verbs that read a piece: what stands before and after its name.
READERS = {
    "compose": ("--prompt", ""),
    "regenerate": ("", "--from 0 --to 4"),
    "extend": ("", ""),
    "connect": ("", "tune.mid --seconds 4"),
    "lead-in": ("", "--seconds 4"),
    "accompany": ("", ""),
    "vary": ("", ""),
    "perform": ("", ""),
    "play": ("", ""),
    "render": ("", "--to png"),
    "judge": ("--model none", ""),
    "originality": ("", ""),
    "inspect": ("", ""),
    "roundtrip": ("", ""),
}
PIECES = [("none.mid", MISSING), ("text.mid", NO_MIDI), ("empty.mid", NO_MIDI), ("folder", FOLDER)]
# What these verbs do with a name that is no piece's.
BY_NAME = {
    ("inspect", "none.mid"): "there are: ",
    ("inspect", "folder"): "`arietta ingest folder",
    ("roundtrip", "folder"): "name a folder of music",
    ("judge", "folder"): "name a folder of music",
}

# The words of a verb, what the sentence names, and what helps.
OTHERS = [
    ("compose --notes 0", "notes", "1-100000"),
    ("compose --notes many", "--notes", "whole number"),
    ("compose --style zzz", "'zzz'", STYLES),
    ("compose --model zzz", "zzz", NO_MODEL),
    ("compose --count 1000", "--count", "1-100"),
    ("compose --key H", "'H'", "C minor, E flat major"),
    ("compose -o a.txt", "a.txt", ".mid"),
    ("compose chopin", "chopin", "did you mean --style chopin?"),
    ("compose 300", "300", "did you mean --notes 300?"),
    ("compose tune.mid", "tune.mid", "did you mean --prompt tune.mid?"),
    ("compose clair de lune.mid", "clair de lune.mid", 'did you mean --prompt "clair de lune.mid"?'),
    ("render tune.mid --to musicxm", "'musicxm'", "did you mean musicxml?"),
    ("compose --server http://127.0.0.1:9", "http://127.0.0.1:9", "`arietta serve` starts one"),
    ("regenerate tune.mid --from 900 --to 901", "900-901", "the piece, which has"),
    ("regenerate tune.mid --from 0 --to 1 --style zzz", "'zzz'", STYLES),
    ("extend tune.mid --at 900", "900 s", "the music has"),
    ("extend tune.mid --style zzz", "'zzz'", STYLES),
    ("connect tune.mid tune.mid --seconds 900", "seconds", "1-60"),
    ("connect tune.mid tune.mid --seconds 4 --style zzz", "'zzz'", STYLES),
    ("lead-in tune.mid --seconds 900", "seconds", "1-60"),
    ("lead-in tune.mid --seconds 4 --style zzz", "'zzz'", STYLES),
    ("accompany tune.mid --keep 1-2", "no note is kept", "choose others"),
    ("accompany tune.mid --style zzz", "'zzz'", STYLES),
    ("vary tune.mid --strength 9", "strength", "0-1"),
    ("vary tune.mid --strenght 0.4", "--strenght", "did you mean --strength?"),
    ("vary tune.mid --style zzz", "'zzz'", STYLES),
    ("play", "pieces/", "arietta play piece.mid"),
    ("serve --port 99999999", "--port", "0-65535"),
    ("serve --port 0 --model none", "none", NO_MODEL),
    ("serve --port 0 --data tune.mid", "tune.mid", "--data takes another folder"),
    ("render tune.mid --to xyz", "'xyz'", "musicxml"),
    ("render tune.mid --to mid --grid 9999", "9999", "5 to 990"),
    ("render tune.mid -o none/x.png", "none/x.png", "see how its name and its folder"),
    ("render tune.mid -o x.mid --tempo 90", "--tempo", "did you mean --grid 90?"),
    ("render tune.mid -o x.mid --bpm 90", "--bpm", "did you mean --grid 90?"),
    ("render tune.mid -o x.mid --double", "--double", "did you mean --beats double?"),
    ("render tune.mid --format=pdf", "--format", "did you mean --to?"),
    ("compose --tempo 90", "--tempo", "did you mean --bpm?"),
    ("models zzz", "zzz", NO_MODEL),
    ("models folder", "folder", "`arietta models` lists"),
    ("styles zzz", "'zzz'", STYLES),
    ("styles --model zzz", "zzz", NO_MODEL),
    ("inspect tune.mid --tracks 99", "track 99", "counted from 0"),
    ("inspect tune.mid --roll x.jpg", "x.jpg", ".png or .svg"),
    ("judge tune.mid --against folder", "--against", "goes with --pieces"),
    ("judge tune.mid --style zzz", "'zzz'", STYLES),
    ("judge --pieces 1", "--pieces", "4-2000"),
    ("compare none folder", "none", FOLDERS),
    ("compare tune.mid folder", "tune.mid", FOLDERS),
    ("compare folder folder", "folder", "name a folder of music"),
    ("compare folder folder --notes 0", "--notes", "16-100000"),
    ("compare folder folder --pieces 99999999999999999999", "--pieces", "8-100000"),
    ("originality --build folder --out x --at-most nan", "--at-most", "1-100000"),
    ("originality --index folder tune.mid", "folder", "arietta originality --build"),
    ("originality --build folder --out x", "folder", NO_CORPUS),
    ("roundtrip tune.mid --codec x", "--codec x", "there are note, performance"),
    ("ingest none --out x", "none", FOLDERS),
    ("ingest text.mid --out x", "text.mid", FOLDERS),
    ("ingest folder --out x", "folder", "name a folder of music"),
    ("ingest folder --out x --shard 9/4", "part 9 of 4", "the last 4/4"),
    ("ingest folder --out x --fewest-notes -1", "--fewest-notes", "1-1000000"),
    ("ingest folder --out x --workers -1", "--workers", "0-256"),
    ("ingest folder --out x --workers many", "--workers", "whole number"),
    ("ingest --merge folder --out x", "folder", "`arietta ingest --shard` reads one"),
    ("download none", "none", "maestro, giantmidi"),
    ("download maestro --archive none.zip", "none.zip", "see how its name"),
    ("download maestro --archive folder", "folder", "name a file"),
    ("download piano --url nowhere", "nowhere", "see that the address is right"),
    ("train none.toml --corpus folder --out x", "none.toml", "see how its name"),
    ("train text.mid --corpus folder --out x", "text.mid", "configs/tiny.toml is one"),
    ("train folder --corpus folder --out x", "folder", "name a file"),
    ("train tiny.toml --corpus folder --out x", "folder", NO_CORPUS),
    ("train tiny.toml --corpus folder --out x --steps 0", "train.steps", "at least 1"),
    ("train tiny.toml --corpus folder --out x --set train.stepz=1", "train.stepz", "the nearest are steps"),
    ("finetune none --out x", "none", FOLDERS),
    ("finetune text.mid --out x", "text.mid", FOLDERS),
    ("finetune folder --out x --steps 0", "train.steps", "at least 1"),
    ("finetune folder --out x --from zzz", "zzz", NO_MODEL),
    ("export none --out x", "none", NO_RUN),
    ("export tune.mid --out x", "tune.mid", NO_RUN),
    ("export folder --out x", "folder", NO_RUN),
    ("export folder --out x --bits 5", "--bits", CHOICES),
    ("doctor --model zzz", "zzz", NO_MODEL),
    ("completion dosh", "dosh", CHOICES),
]  # fmt: skip


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waltz: Notes) -> None:
    """Work in a folder with a piece, an empty file, a text under the name of a piece, settings and an empty folder."""
    settings = Path("configs/tiny.toml").read_bytes()
    monkeypatch.chdir(tmp_path)
    for name, content in {"text.mid": b"hello", "empty.mid": b"", "tiny.toml": settings}.items():
        Path(name).write_bytes(content)
    for name in ("tune.mid", "clair de lune.mid"):
        write_midi(name, waltz)
    Path("folder").mkdir()


def sentence(capsys: pytest.CaptureFixture[str], words: str) -> str:
    """Run a verb that refuses, and return its one sentence without the usage that argparse puts before it."""
    try:
        code = main(words.split())
    except SystemExit as left:  # argparse's own refusals
        code = left.code
    printed = capsys.readouterr()
    assert code == 2
    (line,) = re.findall(r"^(?:arietta.*?|It cannot compose): (.*)", printed.err or printed.out, re.MULTILINE)
    return str(line)


@pytest.mark.parametrize(("file", "helps"), PIECES)
@pytest.mark.parametrize("verb", READERS)
@pytest.mark.usefixtures("desk")
def test_what_is_no_piece_is_named_with_what_helps(
    verb: str, file: str, helps: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = READERS[verb]
    said = sentence(capsys, f"{verb} {before} {file} {after}")
    assert said.startswith(f"{file}: ") and BY_NAME.get((verb, file), helps) in said


@pytest.mark.parametrize(("words", "offence", "helps"), OTHERS)
@pytest.mark.usefixtures("desk")
def test_a_mistake_is_named_with_what_helps(
    words: str, offence: str, helps: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = sentence(capsys, words)
    assert offence in said and helps in said


def test_a_mistyped_verb_is_guessed(capsys: pytest.CaptureFixture[str]) -> None:
    for word, guess in (("vray", "; did you mean vary?\n"), ("zzz", ")\n")):
        with pytest.raises(SystemExit):
            main([word, "tune.mid"])
        assert capsys.readouterr().err.endswith(guess)


def test_the_mistakes_are_made_with_every_verb() -> None:
    assert {*READERS, *(words.split()[0] for words, *_ in OTHERS)} == set(VERBS)

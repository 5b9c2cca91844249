from __future__ import annotations

import io
import tracemalloc
import wave
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from arietta.errors import RequestError
from arietta.music.notes import Notes
from arietta.render import audio
from arietta.render.audio import LONGEST_WAV, AudioKind, audio_bytes, audio_parts, write_audio
from arietta.render.loudness import find_gain
from arietta.render.piano import SAMPLE_RATE, frame_count, sound_blocks


def opened(data: bytes) -> tuple[np.ndarray, int]:
    """Samples float32 [F, 2] and their rate, by another reader than the writer of WAV."""
    import soundfile

    return soundfile.read(io.BytesIO(data), dtype="float32")


def test_a_wav_is_stereo_of_16_bits_with_the_sampled_piano_in_it(waltz: Notes) -> None:
    data = audio_bytes(waltz, "wav")
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 44_100)
        assert file.getnframes() == frame_count(waltz)
    samples, _ = opened(data)
    assert np.abs(samples - find_gain(sound_blocks(waltz)) * np.concatenate(list(sound_blocks(waltz)))).max() < 1e-4


def test_an_ogg_holds_the_same_sound(waltz: Notes) -> None:
    data = audio_bytes(waltz, "ogg")
    samples, rate = opened(data)
    played = find_gain(sound_blocks(waltz)) * np.concatenate(list(sound_blocks(waltz)))
    assert data[:4] == b"OggS" and rate == SAMPLE_RATE and samples.shape == played.shape
    assert np.sqrt(np.mean((samples - played) ** 2)) < 0.1 * np.sqrt(np.mean(played**2))
    assert len(data) < len(audio_bytes(waltz, "wav")) / 5


@pytest.mark.parametrize(("kind", "beginning"), [("flac", b"fLaC"), ("mp3", b"")])
def test_other_encodings_hold_the_same_sound(waltz: Notes, kind: AudioKind, beginning: bytes) -> None:
    data = audio_bytes(waltz, kind)
    samples, rate = opened(data)
    played, _ = opened(audio_bytes(waltz, "wav"))
    assert data.startswith(beginning) and rate == SAMPLE_RATE
    assert np.sqrt(np.mean(samples**2)) == pytest.approx(np.sqrt(np.mean(played**2)), rel=0.02)
    assert len(data) < 0.7 * 4 * len(played)


def test_the_same_notes_give_the_same_wav(waltz: Notes) -> None:
    assert audio_bytes(waltz, "wav") == audio_bytes(waltz, "wav")


def test_a_sound_file_in_parts_is_the_whole_one(waltz: Notes) -> None:
    parts = list(audio_parts(waltz, "wav", block=SAMPLE_RATE))
    assert len(list(filter(None, parts))) > 4 and max(map(len, parts)) <= 4 * SAMPLE_RATE + 44
    assert b"".join(parts) == audio_bytes(waltz, "wav")
    ogg, _ = opened(b"".join(audio_parts(waltz, "ogg", block=SAMPLE_RATE)))
    assert ogg.shape == opened(audio_bytes(waltz, "wav"))[0].shape


def test_a_sound_file_that_nobody_takes_to_its_end_is_let_go_without_a_word(waltz: Notes) -> None:
    parts = audio_parts(waltz, "wav", block=SAMPLE_RATE)
    assert next(filter(None, parts)).startswith(b"RIFF")
    del parts  # warnings are errors here


def test_a_file_takes_its_kind_from_its_ending(tmp_path: Path, waltz: Notes) -> None:
    write_audio(tmp_path / "a.WAV", waltz)
    write_audio(str(tmp_path / "a.ogg"), waltz)
    assert (tmp_path / "a.WAV").read_bytes() == audio_bytes(waltz, "wav")
    assert (tmp_path / "a.ogg").read_bytes()[:4] == b"OggS"
    assert len(list(tmp_path.iterdir())) == 2


def test_other_kinds_are_refused_with_what_would_be_right(tmp_path: Path, waltz: Notes) -> None:
    with pytest.raises(RequestError, match=r"a\.aiff: a sound file ends in \.wav, \.ogg, \.flac, \.mp3"):
        write_audio(tmp_path / "a.aiff", waltz)
    with pytest.raises(RequestError, match="'aiff' is no kind of sound file; there are wav, ogg, flac, mp3"):
        audio_bytes(waltz, "aiff")


def test_what_cannot_be_written_is_named_and_leaves_nothing(tmp_path: Path, waltz: Notes) -> None:
    (tmp_path / "a.wav").mkdir()
    for path in (tmp_path / "a.wav", tmp_path / "missing" / "a.ogg"):
        with pytest.raises(RequestError, match=rf"{path.name}: cannot be written"):
            write_audio(path, waltz)
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


def test_an_interrupted_file_leaves_the_old_one_whole(tmp_path: Path, waltz: Notes) -> None:
    def interrupt(done: float, whole: float) -> None:
        raise KeyboardInterrupt

    (tmp_path / "a.wav").write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        write_audio(tmp_path / "a.wav", waltz, progress=interrupt)
    assert (tmp_path / "a.wav").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_piece_longer_than_a_wav_can_be_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    long = Notes.of([0.0, LONGEST_WAV], [1, 1], [60, 60], [60, 60])
    monkeypatch.setattr(audio, "sound_blocks", lambda notes, block: [])
    with pytest.raises(RequestError, match=r"lasts 6\.8 hours; a WAV file holds 6"):
        audio_bytes(long, "wav")
    assert LONGEST_WAV * SAMPLE_RATE * 4 < 2**32
    assert audio_bytes(long, "ogg")


def test_progress_counts_seconds_up_to_the_end() -> None:
    told: list[tuple[float, float]] = []
    notes = Notes.of(np.arange(25.0), np.full(25, 0.5), np.full(25, 60), np.full(25, 60))
    audio_bytes(notes, "wav", progress=lambda done, whole: told.append((done, whole)))
    assert len(told) >= 3
    assert all(earlier[0] < later[0] for earlier, later in pairwise(told))
    assert told[-1][0] == told[-1][1] == pytest.approx(frame_count(notes) / SAMPLE_RATE)


def test_memory_does_not_grow_with_the_pieces_length(tmp_path: Path) -> None:
    def peak(seconds: int) -> int:
        onset = np.arange(0, seconds, 2.0)
        notes = Notes.of(onset, np.full(len(onset), 0.5), 21 + np.arange(len(onset)) * 7 % 88, np.full(len(onset), 60))
        tracemalloc.start()
        write_audio(tmp_path / "a.wav", notes)
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest

    peak(200)  # the samples are decoded once
    assert peak(400) < 1.1 * peak(40) + 2**20


def test_an_empty_piece_is_a_short_silence() -> None:
    for kind in ("wav", "ogg"):
        samples, _ = opened(audio_bytes(Notes.of(), kind))
        assert len(samples) == SAMPLE_RATE // 2 and np.abs(samples).max() < 1e-3


@pytest.mark.parametrize("is_held", [True, False])
def test_a_sound_is_rendered_once_and_is_the_same_however_it_is_taken(
    is_held: bool, waltz: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, rendered = audio_bytes(waltz, "wav"), []
    monkeypatch.setattr(audio, "MOST_HELD", 10**9 if is_held else 0)
    blocks = audio.sound_blocks
    monkeypatch.setattr(
        audio, "sound_blocks", lambda notes, block: (rendered.append(block), blocks(notes, block=block))[1]
    )
    parts = list(audio_parts(waltz, "wav", block=SAMPLE_RATE))
    assert len(parts) > 3 and b"".join(parts) == expected
    assert len(rendered) == (1 if is_held else 2)


def test_a_disk_without_room_costs_a_second_rendering(waltz: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def write(self, content: object) -> int:
            raise OSError("no space left on device")

    expected = audio_bytes(waltz, "wav")
    monkeypatch.setattr("tempfile.TemporaryFile", Full)
    assert audio_bytes(waltz, "wav") == expected

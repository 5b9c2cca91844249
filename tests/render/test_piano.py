from __future__ import annotations

import json
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arietta.errors import RequestError
from arietta.music.notes import Notes
from arietta.render import piano
from arietta.render.piano import SAMPLE_RATE, frame_count, read_sample, sound_blocks
from tests.support.strategies import pieces

FOLDER = Path(piano.__file__).parent / "sounds" / "piano"
ABOUT = json.loads((FOLDER / "piano.json").read_text())


def sound(notes: Notes) -> np.ndarray:
    """All of a piece, float32 [F, 2]."""
    return np.concatenate(list(sound_blocks(notes)))


def mono(notes: Notes) -> np.ndarray:
    return sound(notes).sum(axis=1)


def tone(pitch: int = 60, duration: float = 1.0, velocity: int = 80, pedal: object = ()) -> Notes:
    return Notes.of([0.0], [duration], [pitch], [velocity], pedal)


def level(samples: np.ndarray, begin: float, end: float) -> float:
    """Root mean square between two times, in dB of full scale."""
    part = samples[int(begin * SAMPLE_RATE) : int(end * SAMPLE_RATE)].astype(np.float64)
    return float(10 * np.log10(np.mean(part**2) + 1e-20))


def strength(samples: np.ndarray, hertz: float) -> float:
    """How strongly a sound swings with a sine of this frequency, by a window that leaks little."""
    shape = np.hanning(len(samples))
    return float(abs(np.sum(samples * shape * np.exp(-2j * np.pi * hertz * np.arange(len(samples)) / SAMPLE_RATE))))


def test_every_key_and_velocity_has_exactly_one_zone() -> None:
    owners = np.zeros((128, 128), dtype=int)
    for zone in ABOUT["zones"]:
        (low, high), (soft, loud) = zone["keys"], zone["velocities"]
        owners[low : high + 1, soft : loud + 1] += 1
    assert (owners[:, 1:] == 1).all()


def test_every_velocity_has_exactly_one_release_and_louder_ones_are_longer() -> None:
    spans = [velocity for one in ABOUT["releases"] for velocity in range(*np.add(one["velocities"], [0, 1]))]
    assert spans == list(range(1, 128))
    seconds = [one["seconds"] for one in ABOUT["releases"]]
    assert seconds == sorted(seconds)


@pytest.mark.parametrize("zone", ABOUT["zones"], ids=lambda zone: zone["file"])
def test_every_file_is_as_piano_json_says(zone: dict[str, object]) -> None:
    import soundfile

    about = soundfile.info(str(FOLDER / zone["file"]))
    assert (about.samplerate, about.channels, about.frames) == (ABOUT["sample_rate"], 1, zone["frames"])
    start, end = zone["loop"]
    assert 0 < start < end <= zone["frames"]


def test_the_sounds_are_small_and_carry_their_licence_and_credit() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 600_000
    licence = (FOLDER / ABOUT["licence_file"]).read_text()
    for words in ("Permission is hereby granted, free of charge", "Frank Wen", "Michael Cowgill"):
        assert words in licence
    assert {path.name for path in FOLDER.glob("*.ogg")} == {zone["file"] for zone in ABOUT["zones"]}


@pytest.mark.parametrize("pitch", [36, 45, 57, 60, 61, 69, 76, 88, 96])
def test_a_key_sounds_at_its_pitch(pitch: int) -> None:
    samples = mono(tone(pitch, 2.0))[: 2 * SAMPLE_RATE]
    hertz = 440 * 2 ** ((pitch - 69) / 12)
    cents = np.arange(-60, 61, 2)
    heard = cents[np.argmax([strength(samples, hertz * 2 ** (cent / 1200)) for cent in cents])]
    assert abs(heard) <= 20  # a piano's treble is tuned high and its bass low


def test_louder_keys_sound_louder_and_brighter() -> None:
    sounds = [mono(tone(60, 1.0, velocity)) for velocity in (10, 40, 70, 100, 127)]
    levels = [level(samples, 0, 1) for samples in sounds]
    assert all(soft + 3 < loud for soft, loud in pairwise(levels))
    share = [
        strength(samples[:SAMPLE_RATE], 440 * 2 ** (-9 / 12) * 12) / strength(samples[:SAMPLE_RATE], 261.6)
        for samples in sounds
    ]
    assert all(soft < loud for soft, loud in pairwise(share))


def test_loudness_follows_the_square_of_velocity() -> None:
    loud, soft = (level(mono(tone(48, 1.0, velocity)), 0.1, 1) for velocity in (100, 50))
    assert loud - soft == pytest.approx(40 * np.log10(2), abs=0.5)


def test_a_key_let_go_falls_silent_and_a_held_one_rings_on() -> None:
    short, long = mono(tone(60, 0.5)), mono(tone(60, 3.0))
    assert level(long, 1.5, 2) > -60
    assert level(np.append(short, np.zeros(2 * SAMPLE_RATE)), 1.5, 2) < -100
    assert np.allclose(short[: SAMPLE_RATE // 2], long[: SAMPLE_RATE // 2])


def test_the_pedal_holds_a_key_until_it_is_up() -> None:
    pedalled, held = mono(tone(60, 0.2, pedal=[(0.0, 2.0)])), mono(tone(60, 2.0))
    assert np.array_equal(pedalled, held)


def test_a_key_struck_again_ends_its_own_tone_and_no_other() -> None:
    twice = Notes.of([0.0, 1.0, 0.0], [0.2, 0.2, 0.2], [60, 60, 67], [90, 1, 1], [(0.0, 3.0)])
    samples = mono(twice)
    assert level(samples, 1.08, 1.2) < level(samples, 0.5, 0.9) - 20
    assert level(mono(tone(60, 2.0, 90)), 1.08, 1.2) > level(samples, 0.5, 0.9) - 10
    other = mono(Notes.of([0.0], [0.2], [67], [1], [(0.0, 3.0)]))
    assert strength(samples[int(1.5 * SAMPLE_RATE) : 2 * SAMPLE_RATE], 392.0) > 0.5 * strength(
        other[int(1.5 * SAMPLE_RATE) : 2 * SAMPLE_RATE], 392.0
    )


def test_a_tone_dies_away_while_it_is_held() -> None:
    samples = mono(tone(60, 20.0))
    levels = [level(samples, at, at + 0.5) for at in range(0, 18, 3)]
    assert all(later < earlier - 1 for earlier, later in pairwise(levels))


@pytest.mark.parametrize("zone", ABOUT["zones"], ids=lambda zone: zone["file"])
def test_loops_join_without_a_click(zone: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(piano._Tones, "envelope", lambda tones, index, first, last: np.float32(1))
    steps = np.abs(np.diff(mono(tone(zone["root"], 12.0))))
    start, end = (round(at / ABOUT["sample_rate"] * SAMPLE_RATE) for at in zone["loop"])
    inside, joined = steps[start + 50 : end - 50], steps[end - 50 : 2 * end - start - 50]
    assert joined.max() <= 1.3 * inside.max()


def test_a_tone_begins_at_its_onset_and_not_before() -> None:
    samples = mono(Notes.of([0.75], [1.0], [72], [100]))
    begun = np.flatnonzero(np.abs(samples) > 1e-4)[0] / SAMPLE_RATE
    assert 0.75 <= begun < 0.77


def test_the_bass_stands_left_and_the_treble_right() -> None:
    for pitch, is_left in ((24, True), (105, False)):
        left, right = np.square(sound(tone(pitch))).sum(axis=0)
        assert (left > 1.5 * right) if is_left else (right > 1.5 * left)
    left, right = np.square(sound(tone(64))).sum(axis=0)
    assert left == pytest.approx(right, rel=0.05)


def test_tones_add_up() -> None:
    one, two = (mono(Notes.of([0.0], [0.5], [pitch], [90])) for pitch in (60, 64))
    both = mono(Notes.of([0.0, 0.0], [0.5, 0.5], [60, 64], [90, 90]))
    shared = min(map(len, (one, two, both)))
    assert np.allclose(both[:shared], one[:shared] + two[:shared], atol=1e-5)


@settings(max_examples=15)
@given(pieces(), st.integers(2_000, 90_000))
def test_the_sound_is_the_same_for_every_size_of_block(notes: Notes, block: int) -> None:
    notes = Notes.of(notes.onset % 5, notes.duration, notes.pitch, notes.velocity)
    whole = np.concatenate([*sound_blocks(notes, block=5_000_000)][:1])[: 8 * SAMPLE_RATE]
    parts = np.concatenate([part for part, _ in zip(sound_blocks(notes, block=block), range(8), strict=False)])
    shared = min(len(whole), len(parts))
    assert np.allclose(whole[:shared], parts[:shared], atol=1e-6)


def test_frame_count_tells_what_is_rendered() -> None:
    for notes in (tone(), tone(30, 30.0), Notes.of()):
        assert sum(len(block) for block in sound_blocks(notes)) == frame_count(notes)


def test_silence_is_half_a_second() -> None:
    samples = sound(Notes.of())
    assert samples.shape == (SAMPLE_RATE // 2, 2) and not samples.any()


def test_keys_beyond_the_piano_sound_too() -> None:
    for pitch in (0, 127):
        assert np.abs(sound(tone(pitch))).max() > 0.01


def test_missing_packages_are_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(RequestError, match="pip install soundfile"):
        read_sample("060.ogg")


def test_a_missing_library_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "soundfile":
                raise OSError("sndfile library not found")

    monkeypatch.delitem(sys.modules, "soundfile", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(RequestError, match="install libsndfile1"):
        piano.import_soundfile()

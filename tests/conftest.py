"""What all tests share: the real corpora, where a machine has them, and a piece made by hand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from arietta.music.notes import Notes

CORPORA = "ARIETTA_CORPORA"
# A shared gate tries the same examples every time; at home each run tries new ones, which is how bugs are found.
settings.register_profile("gate", derandomize=True, deadline=None)
settings.register_profile("home", deadline=None)
settings.load_profile("gate" if os.environ.get("CI") else "home")
pytest_plugins = ("tests.support.bundles", "tests.support.servers", "tests.support.postgres")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that asks for `corpora`, so that `pytest -m corpora` finds them; skip what the system cannot."""
    for item in items:
        if os.name == "nt" and item.get_closest_marker("posix"):
            item.add_marker(pytest.mark.skip(reason="needs the signals, pipes, links or shells of Linux and macOS"))
        if "corpora" in getattr(item, "fixturenames", ()):
            item.add_marker("corpora")


@pytest.fixture(scope="session")
def corpora() -> Path:
    """Give the folder with what there is of maestro-v3.0.0, midis (GiantMIDI) and grieg, or skip."""
    named = os.environ.get(CORPORA)
    if not named:
        pytest.skip(f"needs real corpora: name their folder in {CORPORA}")
    folder = Path(named)
    if not folder.is_dir():
        pytest.fail(f"{CORPORA}={named}: no such folder")
    return folder


@pytest.fixture(autouse=True)
def without_the_beat_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Find beats by accents, as where no model brings a network: a test of the network installs its own."""
    monkeypatch.setenv("ARIETTA_BEATS", "accents")


@pytest.fixture
def waltz() -> Notes:
    """Give three bars in three: a bass note and two chords, two bars pedalled, 12 notes in 4.5 s."""
    onset, pitch, velocity = [], [], []
    for bar in range(3):
        for beat, keys in enumerate(((45 + bar,), (60, 64), (60,))):
            for key in keys:
                onset.append(1.5 * bar + 0.5 * beat)
                pitch.append(key)
                velocity.append(80 - 15 * beat + bar)
    return Notes.of(onset, [0.4] * len(onset), pitch, velocity, [(0.0, 1.4), (1.5, 2.9)])

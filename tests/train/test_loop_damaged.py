"""What a folder's checkpoint must have for its run to go on: another sentence for whatever is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from arietta.corpus.store import Store
from arietta.errors import ConfigError
from arietta.train.checkpoint import LAST, read_checkpoint, write_checkpoint
from tests.train.test_loop import changed, run_of

pytestmark = pytest.mark.usefixtures("one_thread")
SHORT = changed(steps=1, validate_every=1, log_every=1)


def test_a_run_begun_by_the_first_release_is_not_continued(store: Store, tmp_path: Path) -> None:
    run_of(store, tmp_path, SHORT)
    content = read_checkpoint(tmp_path / LAST)
    del content["config"]["conditions"]
    write_checkpoint(tmp_path / LAST, content)
    with pytest.raises(ConfigError, match=r"begun by an older version, .*`arietta export` still makes a model of it"):
        run_of(store, tmp_path, SHORT)


def test_a_damaged_checkpoint_is_refused_by_name(store: Store, tmp_path: Path) -> None:
    run_of(store, tmp_path, SHORT)
    whole = (tmp_path / LAST).read_bytes()
    for damaged in (b"", b"not a checkpoint", whole[: len(whole) // 2]):
        (tmp_path / LAST).write_bytes(damaged)
        with pytest.raises(ConfigError, match=r"last\.pt: not a checkpoint"):
            run_of(store, tmp_path, SHORT)


def test_a_checkpoint_that_lacks_a_part_is_refused_by_name(store: Store, tmp_path: Path) -> None:
    run_of(store, tmp_path, SHORT)
    sound = read_checkpoint(tmp_path / LAST)
    shorter = {name: weight[:1] for name, weight in sound["model"].items()}
    lacking = [{key: sound[key] for key in sound if key != name} for name in ("identity", "optimiser", "stale")]
    for content in [*lacking, sound | {"model": shorter}, sound | {"identity": 7}]:
        write_checkpoint(tmp_path / LAST, content)
        with pytest.raises(ConfigError, match=r"last\.pt: lacks what a run needs to go on, or has it in another shape"):
            run_of(store, tmp_path, SHORT)

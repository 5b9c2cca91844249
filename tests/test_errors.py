from __future__ import annotations

import inspect
import re

import pytest

from arietta import errors
from arietta.errors import NUMBER, AriettaError, RequestError, explain, require
from arietta.fetch import MissingError

ERRORS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)] + [MissingError]


@pytest.mark.parametrize("kind", ERRORS)
def test_whoever_catches_the_root_catches_every_error(kind: type[Exception]) -> None:
    assert issubclass(kind, AriettaError)


@pytest.mark.parametrize("kind", ERRORS)
def test_no_error_is_a_builtin_that_other_code_would_swallow(kind: type[Exception]) -> None:
    assert not issubclass(kind, OSError | ValueError | LookupError)


def test_what_the_system_refuses_has_a_reason_and_a_remedy() -> None:
    assert explain(OSError(28, "No space left on device")).startswith("(No space left on device); free some room")
    for error in (OSError(5, "Input/output error"), OSError("odd"), ValueError("embedded null byte"), OSError()):
        reason, remedy = explain(error).split("; ")
        assert reason not in ("()", "(None)") and remedy == "see that it can be read and written"


def test_a_value_of_another_kind_is_refused_as_it_is_written() -> None:
    require(0.5, NUMBER, "a share is a number")
    for value, shown in (("x", "'x'"), (True, "True"), ([0] * 99, "a list")):
        with pytest.raises(RequestError, match=f"^a share is a number, not {re.escape(shown)}$"):
            require(value, NUMBER, "a share is a number")
    with pytest.raises(TypeError, match="is text"):
        require(1, str, "a name is text", TypeError)

from __future__ import annotations

import inspect

import pytest

from arietta import errors
from arietta.errors import AriettaError
from arietta.fetch import MissingError

ERRORS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)] + [MissingError]


@pytest.mark.parametrize("kind", ERRORS)
def test_whoever_catches_the_root_catches_every_error(kind: type[Exception]) -> None:
    assert issubclass(kind, AriettaError)


@pytest.mark.parametrize("kind", ERRORS)
def test_no_error_is_a_builtin_that_other_code_would_swallow(kind: type[Exception]) -> None:
    assert not issubclass(kind, OSError | ValueError | LookupError)

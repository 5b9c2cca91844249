"""What was prefilled lately: caches after prompts, from which others with the same beginning go on.

A piece's bytes must not depend on what was prefilled before it. So a shorter beginning is only taken from a prompt at
the edge of a whole chunk, which every prompt passes in the same way (`engine.prefill`), and of an LSTM's, whose state
cannot go back, not at all.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..codecs.codec import Tokens
from .cache import Cache

MAX_PROMPT_CACHES = 16  # a prompt in a style takes two: in the style, and in none


class Prefilled(NamedTuple):
    """`tokens` [T, F] taken in under `conditions` int64 [T, K]: the cache after them, and their nll float32 [T, F]."""

    tokens: Tokens
    conditions: NDArray[np.int64]
    cache: Cache
    nll: NDArray[np.float32]


class PrefilledPrompts:
    """The prompts prefilled lately, that used latest at the end; any thread may ask."""

    def __init__(self, chunk: int) -> None:
        """`chunk`: tokens of a whole one."""
        self._chunk = chunk
        self._prompts: deque[Prefilled] = deque(maxlen=MAX_PROMPT_CACHES)
        self._lock = threading.Lock()

    def add(self, prompt: Prefilled) -> None:
        """Hold a prompt, of which nothing may change any more; beyond the most, that used longest ago goes."""
        with self._lock:
            self._prompts.append(prompt)

    def begin(self, tokens: Tokens, conditions: NDArray[np.int64]) -> Prefilled | None:
        """Return the longest beginning of a prompt that is here, with a cache of its own; None where there is none."""
        with self._lock:
            prompts = list(self._prompts)
            lengths = [self._shared(prompt, tokens, conditions) for prompt in prompts]
            length = max(lengths, default=0)
            if not length:
                return None
            prompt = prompts[lengths.index(length)]
            del self._prompts[lengths.index(length)]
            self._prompts.append(prompt)
        cache = prompt.cache.repeat(1)
        if length < len(prompt.tokens):
            cache.rewind(length, prompt.tokens[length - 1])
        return Prefilled(tokens[:length], conditions[:length], cache, prompt.nll[:length])

    def _shared(self, prompt: Prefilled, tokens: Tokens, conditions: NDArray[np.int64]) -> int:
        """How many tokens of a prompt that is here may stand for the first of `tokens`."""
        most = min(len(prompt.tokens), len(tokens))
        is_same = (prompt.tokens[:most] == tokens[:most]).all(axis=1)
        is_same &= (prompt.conditions[:most] == conditions[:most]).all(axis=1)
        equal = most if is_same.all() else int(is_same.argmin())
        if equal == len(tokens) == len(prompt.tokens):
            return equal
        return equal // self._chunk * self._chunk if prompt.cache.can_rewind else 0

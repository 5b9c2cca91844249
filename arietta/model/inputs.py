"""The arrays that the exported graphs read beside their tokens, and how a cache's state is written into them.

The graph reads raw memory: its inputs are bound to these arrays once, and every step writes into them in place.
Which inputs say where a token stands depends on the kind of model: `position_inputs` chooses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..codecs.codec import Masks
from .config import ROTARY_BASE, ModelConfig
from .sampling import WHOLE, Guide, Sampling

Counts = NDArray[np.int64]


class PositionInputs(Protocol):
    """Inputs that say where the tokens of a call stand."""

    @property
    def arrays(self) -> dict[str, NDArray[Any]]: ...

    def write(self, filled: Counts, position: Counts) -> None:
        """Write where the next tokens stand: `filled` int64 [B, 1, 1] and `position` int64 [B, 1] of a `Cache`."""
        ...


class NoPositions:
    """An LSTM's inputs: its state knows where it stands."""

    def __init__(self) -> None:
        self.arrays: dict[str, NDArray[Any]] = {}

    def write(self, filled: Counts, position: Counts) -> None:
        """Write nothing."""


class KeyPositions:
    """Where keys go in the cache, for a table of positions, absolute or relative: S tokens of each of B slots."""

    def __init__(self, model: ModelConfig, slot_count: int, token_count: int) -> None:
        self._steps = np.arange(token_count)
        self._keys = np.zeros((slot_count, token_count), dtype=np.int32)
        # S = 1 when decoding, B = 1 when prefilling: either way the last column is contiguous, and bound as a view.
        self.arrays: dict[str, NDArray[Any]] = {
            "last_key": self._keys[:, -1],
            "key_count": np.zeros((), dtype=np.int32),
        }
        if model.positions == "absolute":
            self.arrays["places"] = self._keys
        elif model.positions != "rotary":
            self.arrays["places"] = self._keys.reshape(slot_count, 1, token_count, 1)

    def write(self, filled: Counts, position: Counts) -> None:
        """Write the keys' rows in the cache, and how many rows the fullest slot then has."""
        np.add(filled[:, 0], self._steps, out=self._keys, casting="unsafe")
        self.arrays["key_count"][()] = self._keys.max() + 1


class RotaryPositions:
    """Where keys go in the cache, and the angles by which rotary embeddings turn S tokens of each of B slots."""

    def __init__(self, model: ModelConfig, slot_count: int, token_count: int) -> None:
        self._keys = KeyPositions(model, slot_count, token_count)
        self._steps = np.arange(token_count)
        self._rates = ROTARY_BASE ** (-np.arange(0, model.head_width, 2) / model.head_width)  # radians per position
        angle_count = slot_count * token_count
        # ONNX Runtime wants tables at least as long as the window, though `angle` only looks up the first rows.
        shape = (max(angle_count, model.context), model.head_width // 2)
        self.arrays = {
            **self._keys.arrays,
            "angle": np.arange(angle_count).reshape(slot_count, token_count),
            "cos": np.zeros(shape, dtype=np.float32),
            "sin": np.zeros(shape, dtype=np.float32),
        }

    def write(self, filled: Counts, position: Counts) -> None:
        """Write the keys' rows, and the angles of positions counted from each piece's first token."""
        self._keys.write(filled, position)
        angles = (position + self._steps).reshape(-1, 1) * self._rates
        np.cos(angles, out=self.arrays["cos"][: len(angles)], casting="same_kind")
        np.sin(angles, out=self.arrays["sin"][: len(angles)], casting="same_kind")


def position_inputs(model: ModelConfig, slot_count: int, token_count: int) -> PositionInputs:
    """Make the inputs of position that a model's graphs have, for S tokens of each of B slots."""
    if model.kind == "lstm":
        return NoPositions()
    if model.positions == "rotary":
        return RotaryPositions(model, slot_count, token_count)
    return KeyPositions(model, slot_count, token_count)


class StepInputs:
    """All inputs of the decode graph for the B slots of one cache, and `tokens` int64 [B, F], its output.

    Temperature, top-p and min-p are inputs [B, 1, S] for the S fields named by `sampled_fields`.
    """

    def __init__(self, model: ModelConfig, slot_count: int, sampled_fields: Sequence[str]) -> None:
        sizes = model.field_sizes
        self.positions = position_inputs(model, slot_count, 1)
        self.tokens = np.zeros((slot_count, len(sizes)), dtype=np.int64)
        self._inputs = np.zeros((slot_count, 1, len(sizes) + len(model.conditions)), dtype=np.int64)
        self._noise = np.zeros((slot_count, 1, sum(sizes)), dtype=np.float32)
        self._allowed = np.zeros((slot_count, 1, sum(sizes)), dtype=np.bool_)
        # Only rows of several fields have a time that the symbol's mask depends on.
        self._earliest = np.zeros((slot_count, 1, sizes[1]), dtype=np.int64) if len(sizes) > 1 else None
        self._partner = np.zeros(slot_count, dtype=np.int64)
        # The graph's names for the guidance weights of a slot's own log-probabilities and of its partner's are older.
        self._weights, self._partner_weights = (np.zeros((slot_count, 1, 1), dtype=np.float32) for _ in range(2))
        self._sampled_fields = sampled_fields
        # One array for all three, [3, B, 1, S], so that each is contiguous and a view.
        self._settings = np.zeros((len(WHOLE), slot_count, 1, len(sampled_fields)), dtype=np.float32)
        self._sampling: list[Sampling] = []
        self._guides: list[Guide] = []

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """The inputs by the names that the graph has for them."""
        arrays: dict[str, NDArray[Any]] = {
            "inputs": self._inputs,
            "noise": self._noise,
            "allowed": self._allowed,
            "twin": self._partner,
            "own": self._weights,
            "other": self._partner_weights,
            **dict(zip(WHOLE, self._settings, strict=True)),
            **self.positions.arrays,
        }
        return arrays if self._earliest is None else arrays | {"earliest": self._earliest}

    def write(self, last: NDArray[np.int64], noise: NDArray[np.float32], masks: Sequence[Masks]) -> None:
        """Write what changes at every step: the last tokens with their conditions, noise, and masks."""
        self._inputs[:, 0] = last
        self._noise[:, 0] = noise
        for slot, mask in enumerate(masks):
            self._allowed[slot, 0] = mask.allowed
            if self._earliest is not None:
                self._earliest[slot, 0] = mask.earliest

    def write_sampling(self, sampling: list[Sampling], guides: Sequence[Guide]) -> None:
        """Write how each slot is sampled and guided, where that differs from the step before."""
        if sampling == self._sampling and guides == self._guides:
            return
        for number, slot_sampling in enumerate(sampling):
            self._settings[:, number, 0] = slot_sampling.by_field(self._sampled_fields)
        self._partner[:] = [guide.partner for guide in guides]
        weights = np.array([guide.weight for guide in guides])
        self._weights[:, 0, 0], self._partner_weights[:, 0, 0] = weights, 1 - weights
        self._sampling, self._guides = list(sampling), list(guides)

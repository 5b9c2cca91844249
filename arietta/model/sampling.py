"""How a field's value is sampled from its logits: in numpy what the exported graph does after guidance.

Temperature comes first, then min-p (Nguyen et al. 2024, arXiv 2407.01082) and top-p (Holtzman et al. 2020, arXiv
1904.09751). Gumbel noise is added to the logits that remain, and the largest sum is the draw (the Gumbel-max trick).
The noise comes from the request's own generator, so that a piece is the same in any batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import RequestError

SETTINGS = ("temperature", "top_p", "min_p")  # of `Sampling`, each an input of the decode graph
LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 0.05, 3.0
HIGHEST_GUIDANCE = 10.0


@dataclass(frozen=True)
class Sampling:
    """How boldly values are sampled, and how strongly a style is followed.

    `temperature` lies in 0.05-3. `top_p` keeps the likeliest values up to that share of probability; `min_p` drops
    values less likely than that share of the likeliest. `guidance` lies in 1-10: at 1 a style is followed as the model
    itself does; without a style it has no effect.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    min_p: float = 0.0
    guidance: float = 1.0

    def __post_init__(self) -> None:
        if not LOWEST_TEMPERATURE <= self.temperature <= HIGHEST_TEMPERATURE:
            raise RequestError(
                f"temperature must lie in {LOWEST_TEMPERATURE}-{HIGHEST_TEMPERATURE}, not {self.temperature}"
            )
        if not 0 < self.top_p <= 1:
            raise RequestError(f"top_p must lie above 0 and at most at 1, not {self.top_p}")
        if not 0 <= self.min_p < 1:
            raise RequestError(f"min_p must lie at 0 or above and below 1, not {self.min_p}")
        if not 1 <= self.guidance <= HIGHEST_GUIDANCE:
            raise RequestError(f"guidance must lie in 1-{HIGHEST_GUIDANCE:g}, not {self.guidance}")

    def by_field(self, field_names: Sequence[str]) -> NDArray[np.float32]:
        """Return the temperature, top-p and min-p of each field, float32 [3, F]: only the first acts on time."""
        columns = [
            (self.temperature, 1.0, 0.0) if name == "time" else (self.temperature, self.top_p, self.min_p)
            for name in field_names
        ]
        return np.array(columns, dtype=np.float32).T

    @classmethod
    def from_description(cls, values: Mapping[str, Any]) -> Sampling:
        """Read the fields out of a request's description; those that are missing keep the model's own distribution."""
        return cls(**{name: values[name] for name in (field.name for field in fields(cls)) if name in values})


MIN_NOISE = np.float32(2**-25)  # exponential noise comes in steps of 2**-23; this stands in for an exact 0
DEFAULT = Sampling(temperature=0.95, top_p=0.95, guidance=4.0)
"""The sampling of pieces by default: with it `concert` keeps to its keys nearly as real music does."""


class Guide(NamedTuple):
    """How a slot is guided: the slot of its partner, and the weight of its own log-probabilities.

    Those of the partner have 1 less that weight; a slot that is not guided is its own partner, with a weight of 1.
    Classifier-free guidance (Ho and Salimans 2022, arXiv 2207.12598, equation 6) samples from log p(any) + g (log
    p(style) - log p(any)), that is g log p(style) + (1 - g) log p(any). A conditional slot, of weight g, and its
    unconditional partner, of weight 1 - g, mix the same two, so both sample the same token.
    """

    partner: int
    weight: float = 1.0


def gumbel(rng: np.random.Generator, size: int) -> NDArray[np.float32]:
    """Draw standard Gumbel noise, float32 [size]: minus the logarithm of exponential noise, which is quick to draw."""
    noise: NDArray[np.float32] = -np.log(np.maximum(rng.standard_exponential(size, dtype=np.float32), MIN_NOISE))
    return noise


def sample(
    logits: NDArray[np.float32], mask: NDArray[np.bool_], noise: NDArray[np.float32], settings: NDArray[np.float32]
) -> int:
    """Draw one of the values that `mask` bool [V] leaves, for `logits` and `noise` float32 [V].

    `settings` float32 [3] are the field's temperature, top-p and min-p, a column of `Sampling.by_field`.
    """
    temperature, top_p, min_p = settings
    scaled = np.where(mask, logits / temperature, np.float32(-1e30))
    probability = np.exp(scaled - scaled.max())
    probability /= probability.sum()
    ordered = np.sort(probability)[::-1]
    mass_before = np.cumsum(ordered) - ordered
    # The likeliest value has no mass before it, so at least one value always stays.
    floor = max(ordered[mass_before < top_p].min(), ordered[0] * min_p)
    return int(np.argmax(np.where(probability >= floor, scaled, np.float32(-1e30)) + noise))

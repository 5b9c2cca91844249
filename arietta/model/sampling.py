"""How a field's value is sampled from its logits: in numpy what the exported graph does after guidance.

Temperature comes first, then min-p (Nguyen et al. 2024, arXiv 2407.01082) and top-p (Holtzman et al. 2020, arXiv
1904.09751). Gumbel noise is added to the logits that remain, and the largest sum is the draw (the Gumbel-max trick).
The noise comes from the request's own generator, so that a piece is the same in any batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import NUMBER, RequestError, require

LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 0.05, 3.0
HIGHEST_GUIDANCE = 10.0
TIME = "time"  # the field that a single top-p or min-p leaves whole
# The decode graph's inputs of sampling, at the values that leave the model's own distribution.
WHOLE: Mapping[str, float] = {"temperature": 1.0, "top_p": 1.0, "min_p": 0.0}
_RANGES: Mapping[str, tuple[Callable[[float], bool], str]] = {
    "temperature": (
        lambda value: LOWEST_TEMPERATURE <= value <= HIGHEST_TEMPERATURE,
        f"in {LOWEST_TEMPERATURE}-{HIGHEST_TEMPERATURE}",
    ),
    "top_p": (lambda value: 0 < value <= 1, "above 0 and at most at 1"),
    "min_p": (lambda value: 0 <= value < 1, "at 0 or above and below 1"),
    "guidance": (lambda value: 1 <= value <= HIGHEST_GUIDANCE, f"in 1-{HIGHEST_GUIDANCE:g}"),
}

Setting = float | Mapping[str, float] | None


@dataclass(frozen=True)
class Sampling:
    """How boldly values are sampled, and how strongly a style is followed; None leaves it to the model's defaults.

    `temperature` lies in 0.05-3. `top_p` keeps the likeliest values up to that share of probability; `min_p` drops
    values less likely than that share of the likeliest. Each is a number, or numbers by the names of a token's fields:
    `Sampling(top_p={"time": 0.98})`. A single temperature means every field; a single top-p or min-p every field but
    time, which stays whole: cutting the tail of waits cuts the long ones, which carry the time. `guidance` lies in
    1-10: at 1 a style is followed as the model itself does. Raises RequestError outside a range.
    """

    temperature: Setting = field(default=None, hash=False)
    top_p: Setting = field(default=None, hash=False)
    min_p: Setting = field(default=None, hash=False)
    guidance: float | None = None

    def __post_init__(self) -> None:
        for name, (is_possible, possible) in _RANGES.items():
            setting = _plain(getattr(self, name))
            object.__setattr__(self, name, setting)
            by_field = isinstance(setting, Mapping) and name in WHOLE
            for part, value in setting.items() if by_field else [("", setting)]:
                claim = f"{name}{part and f' of {part}'} must lie {possible}"
                if value is not None:
                    require(value, NUMBER, claim)
                    if not is_possible(value):
                        raise RequestError(f"{claim}, not {value}")

    def describe(self) -> dict[str, Any]:
        """Return what is set, as JSON values."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_description(cls, values: Mapping[str, Any]) -> Sampling:
        """Read `describe`'s values, alone or among other ones."""
        return cls(**{name: values[name] for name in (each.name for each in fields(cls)) if name in values})

    @classmethod
    def read(cls, temperature: object, top_p: object, min_p: object, guidance: float | None) -> Sampling:
        """Read settings as they are typed or sent: 0.9, or by field time=0.98,symbol=0.9 or a mapping."""
        settings = zip(WHOLE, (temperature, top_p, min_p), strict=True)
        return cls(**{name: _read_setting(name, setting) for name, setting in settings}, guidance=guidance)

    def resolve(self, defaults: Sampling, field_names: Sequence[str]) -> Sampling:
        """Set what is not set as in `defaults`, field by field; a result that is resolved again stays as it is.

        A setting is one number where that means the same, else numbers by field. Raises RequestError for a field that
        is not one of `field_names`, those that the model samples.
        """
        settings: dict[str, Any] = {}
        for name, whole in WHOLE.items():
            setting, default = getattr(self, name), getattr(defaults, name)
            unknown = sorted(set(setting) - set(field_names)) if isinstance(setting, Mapping) else []
            if unknown:
                known = ", ".join(field_names)
                raise RequestError(f"{name} cannot be set for {unknown[0]!r}: this model has it for {known}")
            # Of two values that are not None the first that is.
            candidates = {part: (_value(name, setting, part), _value(name, default, part)) for part in field_names}
            values = {part: next((v for v in both if v is not None), whole) for part, both in candidates.items()}
            last = values[field_names[-1]]
            is_one = all(_value(name, last, part) == value for part, value in values.items())
            settings[name] = last if is_one else values
        guidance = self.guidance if self.guidance is not None else defaults.guidance
        return Sampling(**settings, guidance=1.0 if guidance is None else guidance)

    def by_field(self, field_names: Sequence[str]) -> NDArray[np.float32]:
        """Return the temperature, top-p and min-p of each field, float32 [3, F]; those not set are `WHOLE`."""
        rows = [[_value(name, getattr(self, name), part) for part in field_names] for name in WHOLE]
        filled = [
            [whole if value is None else value for value in row]
            for whole, row in zip(WHOLE.values(), rows, strict=True)
        ]
        return np.array(filled, dtype=np.float32)


def _plain(setting: Any) -> Any:
    """Return a setting with numpy's numbers as Python's own, in a mapping that its owner does not go on to change."""
    if isinstance(setting, Mapping):
        return {part: _plain(value) for part, value in setting.items()}
    return setting.item() if isinstance(setting, np.number) else setting


def _read_setting(name: str, setting: Any) -> Setting:
    """Read what stands for a setting; raises RequestError for what is none."""
    fields_of_text = isinstance(setting, str) and "=" in setting
    try:
        pairs = dict(pair.split("=") for pair in setting.split(",")) if fields_of_text else setting
        if isinstance(pairs, Mapping):
            return {part.strip(): float(value) for part, value in pairs.items()}
        return None if setting is None else float(setting)
    except (ValueError, TypeError) as error:
        sentence = f"{name} must be a number, or numbers by field such as time=0.98, not {str(setting)[:40]!r}"
        raise RequestError(sentence) from error


def _value(name: str, setting: Setting, part: str) -> float | None:
    """Return what a setting says of one field, None where it says nothing."""
    if isinstance(setting, Mapping):
        return setting.get(part)
    is_left_whole = part == TIME and name != "temperature" and setting is not None
    return WHOLE[name] if is_left_whole else setting


@dataclass(frozen=True)
class SamplingDefaults:
    """How a model is sampled where a request does not say, from its card.

    `shares` has how much of its training music is by each composer, by which one is drawn where no style is asked for;
    without any, none is. `guidance` has the strength for composers for whom another than that of `sampling` is better.
    `passage_time` is the temperature of waits in passages, where another is needed for them to be as dense as real ones
    (`python -m benchmarks.quality.passages written`).
    """

    sampling: Sampling
    shares: Mapping[str, float] = field(default_factory=dict)
    guidance: Mapping[str, float] = field(default_factory=dict)
    passage_time: float | None = None

    @classmethod
    def from_description(
        cls, description: Mapping[str, Any], sampling: Sampling, field_names: Sequence[str]
    ) -> SamplingDefaults:
        """Read the "sampling" of a card; what it leaves out is as in `sampling`."""
        composers: Mapping[str, Mapping[str, float]] = description.get("composers", {})
        return cls(
            Sampling.from_description(description).resolve(sampling, field_names),
            {name: float(about["share"]) for name, about in composers.items() if "share" in about},
            {name: float(about["guidance"]) for name, about in composers.items() if "guidance" in about},
            description.get("passage_time"),
        )

    def in_passages(self, sampling: Sampling, field_names: Sequence[str]) -> Sampling:
        """Return sampling with the temperature that waits have in passages."""
        if self.passage_time is None or TIME not in field_names:
            return sampling
        temperature = dict(zip(field_names, sampling.by_field(field_names)[0].tolist(), strict=True))
        rounded = {name: round(value, 4) for name, value in temperature.items()}
        return replace(sampling, temperature=rounded | {TIME: self.passage_time})

    @staticmethod
    def in_performances(sampling: Sampling, field_names: Sequence[str]) -> Sampling:
        """Return sampling with the temperature that loudness and lengths have where a score is played."""
        temperature = dict(zip(field_names, sampling.by_field(field_names)[0].tolist(), strict=True))
        rounded = {name: round(value, 4) for name, value in temperature.items()}
        touch = {name: PERFORMED for name in TOUCH if name in rounded}
        return replace(sampling, temperature=rounded | touch)

    def draw_composer(self, seed: int) -> str | None:
        """Draw a composer by the shares; None where there are none. The noise of composing is not touched."""
        if not self.shares:
            return None
        edges = np.cumsum(list(self.shares.values()))
        drawn = np.random.default_rng((COMPOSER_STREAM, seed)).random() * edges[-1]
        return list(self.shares)[min(int(np.searchsorted(edges, drawn, side="right")), len(edges) - 1)]


# Of a score's loudness and lengths, whose notes leave no choice: what is likeliest follows a pianist best. Chosen, with
# a guidance of 1, on the validation side of benchmarks/quality/performing.py: correlation 0.38, at 0.98 and 2.5 0.24.
PERFORMED, TOUCH = 0.2, ("duration", "velocity")
MODEL_DEFAULTS = Sampling()  # all as the model's card has it
COMPOSER_STREAM = 1  # seeds the draw of a composer apart from the noise, which the seed alone begins
DEFAULTS: Mapping[int, Sampling] = {
    3: Sampling(temperature=0.95, top_p=0.95, min_p=0.0, guidance=4.0),
    4: Sampling(temperature=0.97, top_p=0.96, min_p=0.0, guidance=2.5),
}
"""Sampling by the format of a bundle, where its card does not say."""
MIN_NOISE = np.float32(2**-25)  # exponential noise comes in steps of 2**-23; this stands in for an exact 0


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

    `settings` float32 [3] are the field's temperature, top-p and min-p: its column of `Sampling.by_field`.
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

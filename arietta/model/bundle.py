"""A model in a folder, ready to compose without torch.

model.json    format, network, codec, and the SHA-256 of each file below: its own hash is the fingerprint
step.onnx, feed.onnx, weights.bin    the graphs for decoding and prefill (train/onnx), and the weights they share
golden.npz    a short piece with the likelihoods that torch gave it, to prove the engine wherever it runs
card.json     data, licence, split, training, figures, limits; may be completed after export
originality/  optional: a thinned index of the passages of its training music (originality/index)
beats/        optional: a network that hears beats (music/beats/network), learned from data of the same licence

The default model comes inside the package. The others are looked up by name in `models/` of a checkout and in the
user's own model folder, where `arietta download NAME` puts them.
"""

from __future__ import annotations

import contextlib
import difflib
import functools
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..codecs import load_codec
from ..codecs.codec import Codec, Tokens
from ..errors import AriettaError, BundleError, RequestError, explain, require
from ..files import added_models, atomic_folder, user_models
from ..music.beats.network import NETWORK_FOLDER, fetch_network, load_weights
from ..names import match_names, nearest_names, same_name
from ..program import command
from ..untrusted import BROKEN_ARRAY, MOST_JSON, digest_within, parse_object, read_within
from .composers import offered_composers
from .config import ANY, NO_STYLE, ConditionIds, ModelConfig
from .registry import known_elsewhere, known_models, models_that_know
from .sampling import DEFAULTS, SamplingDefaults

if TYPE_CHECKING:
    from ..fetch import Fetch

FORMAT, READABLE = 4, (3, 4)
DESCRIPTION, CARD = "model.json", "card.json"
FILES = ("step.onnx", "feed.onnx", "weights.bin", "golden.npz")
# Bits of a model's weights -> in words: in one of 4 only the feed-forward layers have 4, and the others 8.
BITS: Mapping[int, str] = {4: "4 and 8 bits", 8: "8 bits", 32: "32 bits"}
INDEX = "originality"  # not part of the fingerprint: an index may be rebuilt without touching the model
DEFAULT_MODEL = "piano"
LARGEST_FILE = 4 * 2**30  # bytes; the weights of the largest shipped model have 0.03 GB
SHIPPED = Path(__file__).parent / "shipped"


@dataclass(frozen=True)
class Golden:
    """A short piece that proves an engine: its likelihood in torch, which must be reproduced.

    `tokens` uint16 [T, F] under the ids `condition` have `nll` float32 [T, F], within `tolerance` nats in every field.
    """

    tokens: Tokens
    nll: NDArray[np.float32]
    condition: ConditionIds
    tolerance: float


@dataclass(frozen=True)
class Bundle:
    """A model that can be loaded by an engine; `fingerprint` names exactly these weights, 16 hexadecimal digits."""

    path: Path
    fingerprint: str
    model: ModelConfig
    codec: Codec
    bits: int
    prefill_chunk: int
    card: Mapping[str, Any]
    format: int = FORMAT

    def __str__(self) -> str:
        return str(self.path)  # by which what takes a model's name or folder finds it

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def precision(self) -> str:
        """Bits of its weights, in words."""
        return BITS[self.bits]

    @property
    def index_folder(self) -> Path:
        """Folder of the index of its training music, which exists if the model came with one."""
        return self.path / INDEX

    @property
    def sampled_fields(self) -> tuple[str, ...]:
        """Names of the fields that temperature, top-p and min-p act on; the others are drawn as the model has them."""
        names = self.codec.field_names
        return names if self.format > 3 else (names[self.codec.sampled_field],)

    @functools.cached_property
    def sampling_defaults(self) -> SamplingDefaults:
        """How it is sampled where a request does not say."""
        description = self.card.get("sampling", {})
        return SamplingDefaults.from_description(description, DEFAULTS[self.format], self.sampled_fields)

    def golden(self) -> Golden:
        # Read only when asked for: an engine composes without it.
        try:
            with np.load(self.path / "golden.npz") as arrays:
                condition = tuple(arrays["condition"].tolist())
                return Golden(arrays["events"], arrays["nll"], condition, float(arrays["tolerance"]))
        except BROKEN_ARRAY as error:
            raise BundleError(f"{self.path / 'golden.npz'}: is damaged ({error}); export the model again") from error


def model_folders() -> list[Path]:
    """Return the folders of models in the order of lookup: the package's, its checkout's, the user's own."""
    return [SHIPPED, *added_models()]


def list_bundles() -> list[str]:
    """Return the names of the installed models."""
    return sorted(_installed())


def _installed() -> dict[str, Path]:
    """Return the folders of installed models by name; of equal names the one in the first model folder."""
    # Later entries replace earlier ones, hence the reversed order.
    descriptions = (path for folder in reversed(model_folders()) for path in folder.glob(f"*/{DESCRIPTION}"))
    # Hidden is what is being made, or was left by a kill.
    return {path.parent.name: path.parent for path in descriptions if not path.parent.name.startswith(".")}


def find_bundle(name_or_path: str | Path) -> Path:
    """Return the folder of a model by name, or of a path; raises BundleError with the nearest names."""
    require(name_or_path, (str, os.PathLike), "a model is given by its name or its folder", BundleError)
    installed = _installed()
    if str(name_or_path) in installed:
        return installed[str(name_or_path)]
    path = Path(name_or_path)
    with contextlib.suppress(OSError):  # a name too long, or a folder above that may not be looked into
        if path.is_dir():
            return path
    names = list_bundles()
    near = difflib.get_close_matches(str(name_or_path), names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"the models here are: {', '.join(names) or 'none'}"
    if str(name_or_path) in known_models():
        hint = f"it is one to be fetched: see `arietta models {name_or_path}` and `arietta download`; {hint}"
    raise BundleError(f"{name_or_path}: no model of that name and no such folder; {hint}")


def load_bundle(name_or_path: str | Path) -> Bundle:
    """Read and check a model's folder; raises BundleError where a file is missing, altered or of another format."""
    path = find_bundle(name_or_path)
    _check_is_model(path)
    with _named(path / DESCRIPTION) as file:
        text = read_within(file, MOST_JSON)
    with _named(path / CARD) as file:
        card = read_within(file, MOST_JSON)
    try:
        return _parse(path, text, parse_object(card))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:  # JSON of any other shape
        raise BundleError(f"{path}: {DESCRIPTION} or {CARD} is damaged ({error}); fetch or export it again") from error
    except BundleError:
        raise
    except AriettaError as error:
        raise BundleError(f"{path}: {error}") from error


def _check_is_model(path: Path) -> None:
    """Raise BundleError, which says what a folder is, where it has none of the files that a model has."""
    if any((path / name).exists() for name in (DESCRIPTION, CARD, *FILES)):
        return
    if (path / "run.json").is_file():  # named in train.checkpoint, which this room may not import
        raise BundleError(
            f"{path}: a training run, not a model; `{command('export', path)}` makes {path / 'bundle'}, a model"
        )
    raise BundleError(f"{path}: a folder without a model; `arietta models` lists those that there are")


def _parse(path: Path, text: bytes, card: Mapping[str, Any]) -> Bundle:
    """Check the text of `DESCRIPTION` against the files beside it."""
    description = parse_object(text)
    if description["format"] not in READABLE:
        raise BundleError(
            f"{path}: format {description['format']}, this version of Arietta reads formats {READABLE[0]} to "
            f"{FORMAT}; export the model again, or install a newer version"
        )
    for name in FILES:
        with _named(path / name) as file:
            digest = digest_within(file, LARGEST_FILE)
        if digest != description["files"][name]:
            raise BundleError(f"{path / name}: altered since it was exported; fetch or export the model again")
    model, codec = ModelConfig.from_description(description["model"]), load_codec(description["codec"])
    if model.field_sizes != codec.field_sizes:
        raise BundleError(
            f"{path}: the network has field sizes {model.field_sizes}, its codec {codec.field_sizes}; "
            "export the model again"
        )
    bits, prefill_chunk = int(description["bits"]), int(description["feed_rows"])
    # The description's keys are older than their names here: `feed_rows` is the prefill chunk.
    if bits not in BITS or not 1 <= prefill_chunk <= max(1, model.context):
        raise ValueError(f"bits {bits}, feed_rows {prefill_chunk}")
    fingerprint = hashlib.sha256(text).hexdigest()[:16]
    bundle = Bundle(path.resolve(), fingerprint, model, codec, bits, prefill_chunk, card, description["format"])
    unknown = sorted({*bundle.sampling_defaults.shares, *bundle.sampling_defaults.guidance} - set(model.composers))
    if unknown:
        raise BundleError(
            f"{path}: {CARD} has the sampling of {unknown[0]}, a composer whom the model does not know; take it out"
        )
    return bundle


@contextlib.contextmanager
def _named(path: Path) -> Iterator[Path]:
    """Let a file of a bundle be read; raises BundleError where it is missing or cannot be."""
    try:
        yield path
    except FileNotFoundError as error:
        raise BundleError(f"{path}: missing, so the model is incomplete; fetch or export it again") from error
    except OSError as error:
        raise BundleError(f"{path}: cannot be read {explain(error)}") from error


def fetch_bundle(name: str, url: str, fingerprint: str, fetch: Fetch, fetch_index: Fetch) -> Path:
    """Fetch the model at `url`/`name` into the user's models, all of its files or none; return its folder.

    `fetch(url, path)` fetches a file and `fetch_index(url, folder)` the index that a model may have beside it. Raises
    what they raise, and BundleError where the files are damaged or have another fingerprint than `fingerprint`.
    """
    folder = user_models() / name
    unfinished = user_models() / f".{name}.part" / name  # stays after a broken download, which is resumed there
    unfinished.mkdir(parents=True, exist_ok=True)
    for file in ("model.json", "card.json", *FILES):
        fetch(f"{url}/{name}/{file}", unfinished / file)
    fetch_index(f"{url}/{name}/{INDEX}", unfinished / INDEX)
    has_network = fetch_network(f"{url}/{name}/{NETWORK_FOLDER}", unfinished / NETWORK_FOLDER, fetch)
    try:
        fetched = load_bundle(unfinished).fingerprint
        if fetched != fingerprint:
            raise BundleError(
                f"{url}/{name}: has fingerprint {fetched}, and this version knows {name} as {fingerprint}; "
                "fetch it from elsewhere with --url, or install another version of Arietta"
            )
        if has_network:
            load_weights(unfinished / NETWORK_FOLDER)
        with atomic_folder(folder) as new:  # an older one stays until the new one stands
            for file_or_index in unfinished.iterdir():
                file_or_index.rename(new / file_or_index.name)
    finally:
        shutil.rmtree(unfinished.parent)
    return folder


def composer_of(style: str, bundle: Bundle) -> str:
    """Return the full name of the composer that `style` names, in any of the ways that `match_names` knows.

    It is "any" for "any" and "none". Raises RequestError where the model does not know it, with the models that do, or
    with the nearest names of composers who may be offered.
    """
    if same_name(style, ANY) or same_name(style, NO_STYLE):
        return ANY
    composers = bundle.model.composers
    known = match_names(style, composers)
    if len(known) == 1:
        return known[0]
    if known:
        raise RequestError(f"style {style!r} may be {' or '.join(known)}: give the full name")
    if not composers:
        raise RequestError(f"{bundle.name} was trained without composers: leave the style at {ANY!r}")
    if others := [name for name in models_that_know(style) if name != bundle.name]:
        raise RequestError(f"{bundle.name} does not know the style {style!r}; models that do: {', '.join(others)}")
    nearest = nearest_names(style, offered_composers(composers))
    elsewhere = "".join(f"; {meant}" for meant in known_elsewhere(style, composers))
    raise RequestError(
        f"{bundle.name} does not know the style {style!r}; nearest: {nearest}{elsewhere} "
        "(`arietta styles` lists all; of a server, /v1/models)"
    )


def condition_of(style: str, bundle: Bundle, *, source: str | None = None) -> ConditionIds:
    """Return the condition ids of the composer that `style` names and of `source`, the most faithful one where None.

    Raises RequestError, as `composer_of` does, where the model does not know the style.
    """
    if source is None:
        # Measured performances have the players' own touch and pedal; transcribed ones only estimate them. Models of
        # format 3 that know one other source alone compose from any, as they did.
        sources = bundle.model.sources
        source = sources[0] if len(sources) == 1 and bundle.format > 3 else "measured"
    return bundle.model.condition_ids(composer=composer_of(style, bundle), source=source)


def write_description(path: Path, model: ModelConfig, codec: Codec, *, bits: int, prefill_chunk: int) -> None:
    """Write `DESCRIPTION` over the files already in `path`: the last step of an export."""
    description = {
        "format": FORMAT,
        "model": model.describe(),
        "codec": codec.describe(),
        "bits": bits,
        "feed_rows": prefill_chunk,
        "files": {name: hashlib.sha256((path / name).read_bytes()).hexdigest() for name in FILES},
    }
    (path / DESCRIPTION).write_bytes((json.dumps(description, indent=1, sort_keys=True) + "\n").encode())

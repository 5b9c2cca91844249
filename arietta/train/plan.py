"""What a run consists of before its first step: settings, music, codec, the network's shape, what it begins from."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass

from ..codecs import CODECS
from ..codecs.codec import Codec
from ..codecs.codec import fingerprint as codec_fingerprint
from ..codecs.grid import FILL
from ..corpus.store import Store
from ..errors import ConfigError
from ..generation.given import LEFT_THRESHOLDS, ROLES
from ..model.conditions import MEASURED, level_thresholds, measured_conditions
from ..model.config import Condition, ModelConfig, style_conditions
from ..music.notes import trim
from .checkpoint import Content
from .config import RunSettings, describe_config
from .data.batches import pieces_of
from .pretrained import Pretrained

ORDER = ("composer", "source", *MEASURED, "role", "left")  # of a network's conditions
MEASURED_PIECES, MEASURED_NOTES = 200, 2000  # that thresholds are made from, where the settings have none


@dataclass(frozen=True)
class Plan:
    """All that a run consists of before its first step."""

    settings: RunSettings
    store: Store
    codec: Codec
    model: ModelConfig
    pretrained: Pretrained | None = None  # the model whose weights it begins from; None for fresh ones

    def identity(self) -> Content:
        """Describe what two runs must share to be the same run."""
        return {
            "settings": describe_config(self.settings),
            "store": self.store.fingerprint,
            "codec": codec_fingerprint(self.codec),
        } | ({"start": self.pretrained.fingerprint} if self.pretrained else {})


def plan_run(settings: RunSettings, store: Store, pretrained: Pretrained | None = None) -> Plan:
    """Choose codec and conditions by the training split; raises CorpusError where it is empty.

    A model that begins from a pretrained one knows that model's composers, sources and other conditions too, and goes
    on with its codec, or with a newer version of it where the settings ask for given music that the old one cannot
    say. Raises ConfigError where they ask for more than the codec can say.
    """
    data = settings.data
    store = store.select(data.corpora, data.only_composers)
    pieces = pieces_of(store, "train")
    codec: Codec = CODECS[data.codec]()
    if pretrained and pretrained.codec.name == codec.name:
        is_enough = has_marks(pretrained.codec) or not any(data.layout_shares.values())
        codec = pretrained.codec if is_enough else codec
    counts = Counter(piece.composer for piece in pieces if piece.composer)
    by_count = sorted(counts, key=lambda name: (-counts[name], name))
    frequent = [name for name in by_count if counts[name] >= data.min_composer_pieces]
    composers = set(frequent[: data.max_composers or None])
    sources = {piece.source for piece in pieces if piece.source}
    if pretrained:
        composers |= set(pretrained.config.composers)
        sources |= set(pretrained.config.sources)
    styles = style_conditions(sorted(composers), sorted(sources))
    conditions = {condition.name: condition for condition in pretrained.config.conditions} if pretrained else {}
    conditions |= {condition.name: condition for condition in styles}
    for condition in _wanted_conditions(settings, store, codec):
        conditions.setdefault(condition.name, condition)  # a pretrained model's levels stay as they are
    ordered = tuple(sorted(conditions.values(), key=lambda condition: ORDER.index(condition.name)))
    model = ModelConfig(**asdict(settings.model), field_sizes=codec.field_sizes, conditions=ordered)
    return Plan(settings, store, codec, model, pretrained)


def has_marks(codec: Codec) -> bool:
    """Say whether a codec has symbols for given music."""
    return codec.field_sizes[1:2] > (FILL,)


def _wanted_conditions(settings: RunSettings, store: Store, codec: Codec) -> list[Condition]:
    """Return the conditions beside composer and source that the settings ask for."""
    data, conditions = settings.data, list[Condition]()
    has_layouts = any(data.layout_shares.values())
    if (has_layouts and not has_marks(codec)) or (data.measured and codec.name != "note"):
        raise ConfigError(
            f"the codec {codec.name!r} of this model has no symbols for given music, or no levels; set data.fill, "
            "data.keep, data.accompany and data.touch to 0 and data.measured to false"
        )
    if data.measured:
        density, loudness = data.density_thresholds, data.loudness_thresholds
        if not (density and loudness):
            pieces = pieces_of(store, "train")
            probes = pieces[:: max(len(pieces) // MEASURED_PIECES, 1)]
            notes = (trim(store.notes(piece.index, 0, MEASURED_NOTES)) for piece in probes)
            thresholds = level_thresholds(codec.encode(part, is_complete=False) for part in notes)
            density, loudness = density or thresholds[0], loudness or thresholds[1]
        conditions += measured_conditions(density, loudness)
    if has_layouts:
        conditions.append(Condition("role", len(ROLES) + 1, ROLES))
        conditions.append(Condition("left", len(LEFT_THRESHOLDS) + 2, thresholds=LEFT_THRESHOLDS))
    return conditions


def describe_data(store: Store) -> str:
    """Describe the training pieces in a sentence: how many, whose, under which licences."""
    train = [piece for piece in store.pieces if piece.split == "train"]
    composers = Counter(piece.composer for piece in train if piece.composer)
    licences = sorted({piece.licence for piece in train if piece.licence})
    whose = ", ".join(name for name, _ in composers.most_common(5)) or "no composer named"
    more = f" and {len(composers) - 5} more" if len(composers) > 5 else ""
    notes = sum(piece.notes for piece in train)
    terms = ", ".join(licences) or "not stated"
    return f"{len(train)} pieces, {notes:,} notes: {whose}{more}. Licences of the files: {terms}."

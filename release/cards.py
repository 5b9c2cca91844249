"""Complete the models' cards and write docs/use/models.md: figures from docs/figures.jsonl, samples by seed 1, 2 and 3.

    python -m release.cards              figures into each card.json, the registry of models, docs/use/models.md
    python -m release.cards --samples    and compose the samples anew (MIDI and piano roll of 300 notes each)
    python -m release.cards --runs runs  and copy the curve of each model's training run, runs/NAME/curve.png

Samples are taken by seed, not by taste.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from arietta.evaluation.words import index_sentence, items_sentence
from arietta.generation.loop import generate
from arietta.generation.request import Request
from arietta.model.bundle import DEFAULT_MODEL, SHIPPED, Bundle, load_bundle
from arietta.model.engine import load_engine
from arietta.music.beats.network import CARD, NETWORK_FOLDER, WEIGHTS
from arietta.originality.index import find_index
from arietta.render.roll import write_roll
from benchmarks.shared.report import ROOT
from release.figures import FIGURES, read_figures, spell
from release.items import count_items

PAGE, PICTURES = ROOT / "docs" / "use" / "models.md", ROOT / "docs" / "use" / "models"
SEEDS, SAMPLE_NOTES = (1, 2, 3), 300
# Figure of a card -> format of Python: as many digits as docs/figures.md shows.
SHOWN = {
    "nats_per_note": ".2f",
    "interval_95": ".2f",
    "nats_per_second": ".1f",
    "next_key_accuracy": ".1%",
    "pieces": ",",
    "notes": ",",
}
# The same of a network that hears beats.
SHOWN_OF_BEATS = {
    "pieces": ",",
    "F": ".3f",
    "downbeats F": ".3f",
    "bars right": ".0%",
    "bars given": ".0%",
    "given right": ".0%",
}
INTRODUCTION = """# The models

Written by `python -m release.cards` from the cards that the models carry (`arietta inspect NAME` shows them too).
Likelihoods are those of held-out music, measured over whole pieces with nothing skipped; lower is better
([figures.md](../figures.md) has all of them and says how they are measured). Samples are the takes of the first three
seeds, 300 notes each, not selected.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", action="store_true")
    parser.add_argument("--runs", type=Path)
    arguments = parser.parse_args()
    PICTURES.mkdir(exist_ok=True)
    lines = read_figures(FIGURES.read_text(encoding="utf-8"))
    bundles = [load_bundle(folder) for folder in (SHIPPED / DEFAULT_MODEL, *sorted((ROOT / "models").iterdir()))]
    for bundle in bundles:
        complete(bundle, lines)
        if (bundle.path / NETWORK_FOLDER).exists():
            complete_network(bundle.path / NETWORK_FOLDER, lines)
        if arguments.runs:
            shutil.copy(arguments.runs / bundle.name / "curve.png", PICTURES / f"{bundle.name}-curve.png")
        if arguments.samples:
            draw_samples(bundle)
    completed = [load_bundle(bundle.path) for bundle in bundles]
    write_registry(completed)  # it has the sizes of the cards too
    PAGE.write_text(page(completed), encoding="utf-8")


def write_registry(bundles: list[Bundle]) -> None:
    """Write what can be said of every model without having it; the address that the registry has stays."""
    models = {
        bundle.name: {
            "fingerprint": bundle.fingerprint,
            "bytes": sum(path.stat().st_size for path in bundle.path.rglob("*") if path.is_file()),
            "licence": bundle.card["licence"],
            "licence_url": bundle.card["licence_url"],
            "summary": bundle.card["summary"],
            "composers": list(bundle.model.composers),
        }
        for bundle in bundles
    }
    path = SHIPPED / "registry.json"
    url = json.loads(path.read_text(encoding="utf-8"))["url"] if path.exists() else ""
    text = json.dumps({"url": url, "models": models}, indent=1, sort_keys=True, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def complete(bundle: Bundle, lines: Mapping[str, Mapping[str, Any]]) -> None:
    """Put a bundle's figures into its card: likelihoods, how well its styles are recognised; and count its items."""
    prefix = f"likelihood/{bundle.name}, "
    found = {
        name.removeprefix(prefix): {key: line[key] for key in SHOWN if key in line}
        for name, line in lines.items()
        if name.startswith(prefix) and line["bundle"] == bundle.fingerprint
    }
    prefix = f"style/{bundle.name}, "
    recognised = {
        name.removeprefix(prefix): {
            "first": line["told_top_1"], "among_five": line["told_top_5"], "takes": line["takes"],
        }
        for name, line in lines.items()
        if name.startswith(prefix) and line["bundle"] == bundle.fingerprint
    }  # fmt: skip
    card = {**bundle.card, "figures": found, "recognised": recognised, "items": count_items(bundle.name)}
    text = json.dumps(card, indent=1, ensure_ascii=False) + "\n"
    (bundle.path / "card.json").write_text(text, encoding="utf-8")


def complete_network(folder: Path, lines: Mapping[str, Mapping[str, Any]]) -> None:
    """Put the figures of a network that hears beats into its card."""
    prefix = "beats/network, "
    found = {
        name.removeprefix(prefix): {key: line[key] for key in SHOWN_OF_BEATS if key in line}
        for name, line in lines.items()
        if name.startswith(prefix) and "downbeats F" in line
    }
    card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    text = json.dumps({**card, "figures": found}, indent=1, ensure_ascii=False) + "\n"
    (folder / CARD).write_text(text, encoding="utf-8")


def draw_samples(bundle: Bundle) -> None:
    """Compose and draw the samples of a model."""
    engine = load_engine(bundle)
    for seed in SEEDS:
        take = generate(Request(notes=SAMPLE_NOTES, seed=seed), engine)
        take.save(PICTURES / f"{bundle.name}-seed-{seed}.mid")
        write_roll(PICTURES / f"{bundle.name}-seed-{seed}.png", take.notes, title=f"{bundle.name}, seed {seed}")


def page(bundles: list[Bundle]) -> str:
    """The whole of docs/use/models.md."""
    return "\n".join([INTRODUCTION, *(section(bundle) for bundle in bundles)])


def section(bundle: Bundle) -> str:
    """What is to be said of one model."""
    card, name = bundle.card, bundle.name
    default = " (the default)" if name == DEFAULT_MODEL else ""
    size = sum(path.stat().st_size for path in bundle.path.iterdir() if path.is_file()) / 1e6
    index = find_index(bundle.index_folder)
    has_curve = (PICTURES / f"{name}-curve.png").exists()
    curve = f" [Its curve](models/{name}-curve.png)." if has_curve else ""
    limits = [f"- {limit}" for limit in card["limits"]]
    samples = [
        f"seed {seed}: [MIDI](models/{name}-seed-{seed}.mid), [piano roll](models/{name}-seed-{seed}.png)"
        for seed in SEEDS
    ]
    return "\n".join(
        [
            f"## {name}{default}\n",
            f"{card['summary']}\n",
            f"- **Data:** {card['data']}",
            f"- **Licence:** [{card['licence']}]({card['licence_url']}). {card['allows']}",
            f"- **Split:** {card['split']}",
            f"- **Every item:** {items_sentence(card['items'])}, each with its file, licence, SHA-256 and side of the "
            f"split, in [items.jsonl.xz](models/items.jsonl.xz)",
            f"- **Network:** {described(bundle)}; {size:.1f} MB in {bundle.precision}, `{bundle.fingerprint}`",
            f"- **Training:** {trained(card['training'])}{curve}",
            *([f"- **Index of its training music:** {index_sentence(index)}"] if index else []),
            f"- **Samples:** {'; '.join(samples)}",
            f"- **Report:** `{report_command(name)}` writes a page of its takes beside real music",
            "\nHeld-out music:\n",
            *figures(card.get("figures", {})),
            "\nKnown limits:\n",
            *limits,
            *(network_section(bundle.path / NETWORK_FOLDER) if (bundle.path / NETWORK_FOLDER).exists() else ()),
            "",
        ]
    )


def network_section(folder: Path) -> list[str]:
    """What is to be said of the network that hears beats, which comes with a model."""
    card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    count = card["counts"]["train"]
    rows = [
        f"| {name} | " + " | ".join(spell(line.get(key, ""), form) for key, form in SHOWN_OF_BEATS.items()) + " |"
        for name, line in card.get("figures", {}).items()
    ]
    return [
        f"\n### {card['title']}, which come with it\n",
        f"{card['summary']}\n",
        f"- **Data:** {card['data']} {count['performances']} performances of {count['works']} works, "
        f"{count['hours']} hours, {count['beats']:,} beats.",
        f"- **Licence:** [{card['licence']}]({card['licence_url']}). {card['allows']}",
        f"- **Split:** {card['split']}",
        f"- **Network:** dilated convolutions over frames of 20 ms; {(folder / WEIGHTS).stat().st_size / 1e6:.2f} MB",
        f"- **Training:** {card['training']['updates']:,} updates on {card['training']['processor']}. "
        f"{card['training']['note']}",
        "\n| performances | pieces | beats, F | downbeats, F | bars right | given bars | right of these |",
        "|---|--:|--:|--:|--:|--:|--:|",
        *rows,
        "\nKnown limits:\n",
        *(f"- {limit}" for limit in card["limits"]),
    ]


def report_command(name: str) -> str:
    return f"arietta judge --model {name} --pieces 200 --report {name}.html"


def described(bundle: Bundle) -> str:
    model = bundle.model
    heads = f", {model.heads} heads ({model.kv_heads} for keys and values), {model.positions} positions"
    shape = f"{model.kind}, {model.layers} layers of width {model.width}"
    parameters = bundle.card["training"]["parameters"]
    return f"{shape}{heads if model.kind == 'transformer' else ''}, {parameters:,} parameters"


def trained(training: Mapping[str, Any]) -> str:
    """Describe in a sentence how a model was trained."""
    outcome, machine = training["outcome"], training["machine"]
    speed = outcome["rows"] / max(outcome["seconds"], 1)
    on = f"one {machine['processor']}"
    if "cores" in machine:
        on = f"{machine['threads']} of {machine['cores']} cores of an {machine['processor']}"
    seconds = outcome["seconds"]
    span = f"{seconds / 60:.0f} minutes" if seconds >= 480 else f"{seconds:.0f} seconds"
    start = training.get("begun_from")
    if isinstance(start, Mapping):  # an earlier run of the same weights
        on += f", after {start['steps']:,} updates and {start['rows']:,} tokens in {start['seconds']:.0f} seconds"
    began = f", begun from the weights of `{start}`" if isinstance(start, str) else ""
    best = f"; best at update {outcome['best_step']:,}" if "best_step" in outcome else ""
    mean = " and ".join(f"{share:g} of {run}" for run, share in training.get("mean", {}).items())
    return (
        f"{outcome['step']:,} updates, {outcome['rows']:,} tokens in {span} "
        f"({speed:,.0f} per second) on {on}, {training['precision']}{began}{best}."
        + (f" The weights are a mean: {mean}." if mean else "")
    )


def figures(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Write the likelihoods of held-out music as a table."""
    if not found:
        return ["Not measured."]
    head = "| music | nats per note | 95 % interval | nats per second | next key right | pieces | notes |"
    values = {name: [spell(line.get(key, ""), form) for key, form in SHOWN.items()] for name, line in found.items()}
    rows = [f"| {name} | " + " | ".join(row) + " |" for name, row in values.items()]
    return [head, "|---|--:|--:|--:|--:|--:|--:|", *rows]


if __name__ == "__main__":
    main()

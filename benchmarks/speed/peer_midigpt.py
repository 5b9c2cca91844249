"""midigpt as it composes: what peers.py times of it, and how its tokens become notes.

    python -m benchmarks.speed.peer_midigpt MIDI...      tokens, notes and bars by midigpt's own encoder

Its published weights come over the network only, so the model is a GPT-2 of its own code with random ones, of the trunk
of `piano` and the context of the published, saved and loaded in its own format. Its words are those of its `yellow`
models (12 steps a beat, 32 velocities, no pedal), with one time signature and without attributes. A session composes a
track of empty bars from the start, as its README shows, in windows of 8 bars and as many new ones at once as its
planner likes. Random weights hardly ever end a bar, so its density limit ends them, at about the tokens of a bar of
MAESTRO. Their tokens a note say nothing of music: the tokens that a session makes are counted, and a note costs as many
as in MAESTRO's test split.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from arietta.model.config import ModelConfig
from benchmarks.shared.report import seconds

if TYPE_CHECKING:
    from midigpt.inference import InferenceEngine, SamplingSession
    from midigpt.tokenizer import Tokenizer

TOKENS_A_NOTE = 2_662_001 / 733_575  # of MAESTRO's test split, in whole windows of BARS bars: the line above says them
NOTES_A_BAR = 733_575 / 35_432
NOTES_AT_MOST = 33  # of random weights, in a bar: they take as many tokens as NOTES_A_BAR notes of MAESTRO
BARS = 8  # of a window
POSITIONS = 2048
GIVEN = ("PieceStart", "NumBars", "Track", "Instrument", "TrackEnd")  # of a window, before and after what is composed
DOMAINS = {
    "PieceStart": 2,
    "Track": 2,
    "TrackEnd": 1,
    "Bar": 1,
    "BarEnd": 1,
    "TimeSig": 1,
    "Instrument": 128,
    "NumBars": 1,
    "NoteOnset": 128,
    "NoteDuration": 96,
    "TimeAbsolutePos": 192,
    "VelocityLevel": 32,
}
WORDS = {
    "resolution": 12,
    "decode_resolution": 480,
    "note_duration_max_beats": 8,
    "num_bars_map": [BARS],
    "pitch_range": [0, 127],
    "time_signatures": ["4/4"],
    "velocity_levels": 32,
    "velocity_sticky": True,
    "token_domains": [{"type": kind, "domain_size": size} for kind, size in DOMAINS.items()],
}


def load_midigpt(config: ModelConfig) -> InferenceEngine:
    """midigpt's engine on random weights of `config`'s trunk; ImportError where midigpt is not installed."""
    import torch
    from midigpt.inference import InferenceEngine
    from midigpt.inference.model import GPT2Config, GPT2LMHeadModel

    shape = GPT2Config(
        vocab_size=load_tokenizer().vocab_size(),
        n_positions=POSITIONS,
        n_embd=config.width,
        n_layer=config.layers,
        n_head=config.heads,
    )
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "model.safetensors")
        GPT2LMHeadModel(shape).save_pretrained(path, encoder_config=WORDS)
        return InferenceEngine.from_checkpoint(path)


def load_tokenizer() -> Tokenizer:
    from midigpt._core import EncoderConfig
    from midigpt.tokenizer import Tokenizer

    return Tokenizer(EncoderConfig.from_json(json.dumps(WORDS)))


def open_session(engine: InferenceEngine, notes: int) -> SamplingSession:
    """A session that will compose as many bars as `notes` notes of MAESTRO fill, and at least a window."""
    from midigpt import Bar, Score, Track
    from midigpt.inference import GenerationRequest, InferenceConfig, TrackPrompt

    bars = max(BARS, math.ceil(notes / NOTES_A_BAR))
    config = InferenceConfig(model_dim=BARS, bars_per_step="auto", density_hard_limit=NOTES_AT_MOST, seed=1)
    prompt = TrackPrompt(id=0, bars=list(range(bars)), autoregressive=True)
    return engine.session(Score([Track([Bar() for _ in range(bars)])]), GenerationRequest([prompt], config))


def seconds_of(notes: int, session: SamplingSession) -> float:
    """Seconds of `notes` notes of MAESTRO, at what each token of the session's run takes."""
    spent = seconds(session.run)
    return spent / session.gen_count * notes * TOKENS_A_NOTE


def count(paths: Sequence[str]) -> dict[str, int]:
    """What midigpt's encoder makes of MIDI files in 4/4, in whole windows of BARS bars: tokens, notes, bars."""
    from midigpt import Score

    tokenizer, counts = load_tokenizer(), Counter[str]()
    for path in paths:
        score = Score.from_midi(path)
        for track in score.tracks:
            for at in range(0, len(track.bars) - BARS + 1, BARS):
                window = Score([type(track)(track.bars[at : at + BARS])], score.resolution, score.tempo)
                counts.update(tokenizer._vocab.get_type(token).name for token in tokenizer.encode(window))
    composed = counts.total() - sum(counts[kind] for kind in GIVEN)
    return {"tokens": composed, "notes": counts["NoteOnset"], "bars": counts["Bar"]}


if __name__ == "__main__":
    print(json.dumps(count(sys.argv[1:])))

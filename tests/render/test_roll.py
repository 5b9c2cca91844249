from __future__ import annotations

import io
import time
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from arietta.errors import RequestError
from arietta.music.meter import Meter, Tempo, TimeSignature
from arietta.music.notes import Notes
from arietta.render.canvas import PNG_SCALE, Box, Drawing, Line, Text
from arietta.render.roll import (
    LEFT,
    LONGEST_SINGLE,
    MOST_SYSTEMS,
    PAGE_WIDTH,
    PEDAL_INK,
    PROMPT_INK,
    PROMPT_WHITE,
    RIGHT,
    format_onset,
    format_time,
    pitch_name,
    roll_drawing,
    roll_png,
    roll_svg,
    velocity_colours,
    write_roll,
)

SVG = "{http://www.w3.org/2000/svg}"


def long_piece(seconds: float, note_count: int) -> Notes:
    rng = np.random.default_rng(3)
    onset = np.sort(rng.uniform(0, seconds - 1, note_count))
    onset[-1] = seconds - 1
    pedal = [(at, at + 2.0) for at in np.arange(0, seconds - 3, 3.0)]
    columns = rng.uniform(0.1, 0.9, note_count), rng.integers(30, 100, note_count), rng.integers(1, 128, note_count)
    return Notes.of(onset, np.append(columns[0][:-1], 1.0), *columns[1:], pedal)


def boxes(drawing: Drawing, colours: set[str]) -> list[Box]:
    return [shape for shape in drawing.shapes if isinstance(shape, Box) and shape.colour in colours]


def note_boxes(drawing: Drawing) -> list[Box]:
    return [box for box in boxes(drawing, set(velocity_colours())) if box.radius]


def labels(drawing: Drawing) -> list[str]:
    return [shape.text for shape in drawing.shapes if isinstance(shape, Text)]


def lightness(colour: str) -> float:
    """Relative luminance (WCAG 2)."""
    values = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def opened(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png))


def test_louder_notes_are_darker_at_every_velocity() -> None:
    shades = [lightness(colour) for colour in velocity_colours()]
    assert len(shades) == 128
    assert all(louder < softer for softer, louder in pairwise(shades))


def test_a_note_stands_at_its_time_and_pitch_in_the_colour_of_its_velocity() -> None:
    drawing = roll_drawing(Notes.of([0.0, 5.0], [10.0, 2.5], [60, 62], [40, 100]))
    low, high = note_boxes(drawing)
    assert (low.colour, high.colour) == (velocity_colours()[40], velocity_colours()[100])
    assert low.x == pytest.approx(LEFT)
    assert high.x == pytest.approx((LEFT + RIGHT) / 2)
    assert low.width == pytest.approx(RIGHT - LEFT, abs=1)
    assert high.width == pytest.approx((RIGHT - LEFT) / 4, abs=1)
    assert low.y - high.y == pytest.approx(2 * (high.height + 0.5))


def test_the_shortest_note_can_still_be_seen() -> None:
    (box,) = note_boxes(roll_drawing(Notes.of([1.0], [0.001], [60], [64])))
    assert box.width >= 1


def test_a_pedal_lies_below_all_notes() -> None:
    drawing = roll_drawing(Notes.of([0.0, 1.0], [1, 1], [30, 90], [64, 64], [(0.5, 1.5)]))
    (pedal,) = boxes(drawing, {PEDAL_INK})
    assert pedal.x == pytest.approx(LEFT + (RIGHT - LEFT) / 4)
    assert pedal.y > max(box.y + box.height for box in note_boxes(drawing))


def test_the_prompt_is_shaded_up_to_its_end_and_named(waltz: Notes) -> None:
    drawing = roll_drawing(waltz, prompt_seconds=2.5)
    (shade,) = boxes(drawing, {PROMPT_WHITE})
    assert (shade.x, shade.width) == pytest.approx((LEFT, (RIGHT - LEFT) / 2))
    assert "prompt" in labels(drawing)
    edges = [shape for shape in drawing.shapes if isinstance(shape, Line) and shape.colour == PROMPT_INK]
    assert [edge.x1 for edge in edges] == pytest.approx([(LEFT + RIGHT) / 2])


def test_nothing_is_shaded_without_a_prompt(waltz: Notes) -> None:
    drawing = roll_drawing(waltz)
    assert not boxes(drawing, {PROMPT_WHITE})
    assert "prompt" not in labels(drawing)


def test_a_prompt_that_ends_in_a_later_system_shades_the_earlier_ones_whole() -> None:
    drawing = roll_drawing(long_piece(100.0, 50), prompt_seconds=50.0)
    shades = boxes(drawing, {PROMPT_WHITE})
    assert [shade.width for shade in shades] == pytest.approx([RIGHT - LEFT, (RIGHT - LEFT) * 16 / 34])


@pytest.mark.parametrize(
    ("seconds", "systems"), [(5, 1), (LONGEST_SINGLE, 1), (46, 2), (300, 9), (20_000, MOST_SYSTEMS)]
)
def test_long_pieces_run_over_several_systems(seconds: float, systems: int) -> None:
    drawing = roll_drawing(long_piece(seconds, 300))
    assert labels(drawing).count("Ped.") == systems


def test_five_minutes_give_a_second_thirty_pixels() -> None:
    drawing = roll_drawing(long_piece(300, 1000))
    longest = max(note_boxes(drawing), key=lambda box: box.width)
    assert longest.width >= 30 * PNG_SCALE / 2 * 0.85


def test_a_note_held_over_the_end_of_a_system_goes_on_in_the_next() -> None:
    drawing = roll_drawing(Notes.of([0.0, 30.0], [1.0, 33.0], [60, 64], [64, 64]))
    held = [box for box in note_boxes(drawing) if box.width > 50]
    assert len(held) == 2
    assert held[0].x + held[0].width == pytest.approx(RIGHT, abs=1)
    assert held[1].x == pytest.approx(LEFT)


def test_the_axes_name_octaves_and_seconds() -> None:
    texts = labels(roll_drawing(Notes.of([0.0, 1.0], [5, 5], [24, 108], [64, 64])))
    assert {"C1", "C4", "C8", "0 s", "5 s"} <= set(texts)


def test_with_a_metre_the_axis_counts_bars_and_no_seconds() -> None:
    meter = Meter((TimeSignature(0.0, 1, 4), TimeSignature(0.5, 3, 4)), (Tempo(0.0, 0.5),))
    drawing = roll_drawing(Notes.of([0.0, 8.5], [0.5, 1.5], [60, 72], [64, 64]), meter=meter)
    assert [text for text in labels(drawing) if text.isdigit()][-7:] == ["1", "2", "3", "4", "5", "6", "7"]
    assert not [text for text in labels(drawing) if text.endswith(" s")]
    # Numbers of many bars keep their distance.
    waltz = Meter((TimeSignature(0.0, 3, 4),), (Tempo(0.0, 0.2),))
    numbers = [text for text in labels(roll_drawing(long_piece(100.0, 50), meter=waltz)) if text.isdigit()]
    assert {"1", "5", "161"} <= set(numbers) and "2" not in numbers


def test_times_beyond_one_system_are_minutes_and_seconds() -> None:
    assert {"0:00", "1:30"} <= set(labels(roll_drawing(long_piece(100.0, 50))))


@pytest.mark.parametrize("seconds", [1, 7, 44, 60, 300, 4000, 80_000])
def test_labels_of_the_time_axis_never_touch(seconds: float) -> None:
    drawing = roll_drawing(long_piece(seconds + 1, 20))
    ticks = [
        shape for shape in drawing.shapes if isinstance(shape, Text) and shape.text[0].isdigit() and shape.size == 10
    ]
    for left, right in pairwise(ticks):
        assert right.y > left.y or right.x - left.x >= 50


def test_everything_stays_on_the_page() -> None:
    for notes in (Notes.of(), long_piece(500, 2000), Notes.of([0.0, 0.5], [1, 1], [0, 127], [1, 127])):
        drawing = roll_drawing(notes, title="x" * 500)
        for box in [shape for shape in drawing.shapes if isinstance(shape, Box)]:
            assert 0 <= box.x <= box.x + box.width <= PAGE_WIDTH + 0.01
            assert 0 <= box.y <= box.y + box.height <= drawing.height


def test_an_empty_piece_is_an_empty_roll() -> None:
    assert "0 notes" in " ".join(labels(roll_drawing(Notes.of())))
    assert opened(roll_png(Notes.of())).size[0] == PAGE_WIDTH * PNG_SCALE


def test_the_heading_tells_title_length_and_range(waltz: Notes) -> None:
    texts = labels(roll_drawing(waltz, title="Valse triste"))
    assert texts[0] == "Valse triste"
    assert texts[1].split("   ") == ["12 notes", "0:04", "A2 to E4", "2 pedals"]


def test_svg_is_xml_with_every_note_whatever_the_title(waltz: Notes) -> None:
    root = ET.fromstring(roll_svg(waltz, title='<b> & "Für Elise" \x07'))
    rounded = [rect for rect in root.iter(f"{SVG}rect") if rect.get("rx") == "1"]
    assert len(rounded) == len(waltz)
    assert next(root.iter(f"{SVG}text")).text == '<b> & "Für Elise" '


def test_png_is_twice_the_page_and_holds_the_notes_colours(waltz: Notes) -> None:
    image = opened(roll_png(waltz)).convert("RGB")
    assert image.size == (PAGE_WIDTH * PNG_SCALE, roll_drawing(waltz).height * PNG_SCALE)
    seen = {"#" + bytes(colour).hex() for _, colour in image.getcolors(2**20)}
    assert {velocity_colours()[velocity] for velocity in waltz.velocity} <= seen


def test_the_same_notes_give_the_same_bytes(waltz: Notes) -> None:
    assert roll_png(waltz, title="a", prompt_seconds=1) == roll_png(waltz, title="a", prompt_seconds=1)
    assert roll_svg(waltz, title="a", prompt_seconds=1) == roll_svg(waltz, title="a", prompt_seconds=1)


@pytest.mark.timed
def test_twenty_thousand_notes_are_drawn_within_two_seconds_of_processor_time() -> None:
    notes = long_piece(3000, 20_000)
    begun = time.process_time()
    roll_png(notes)
    roll_svg(notes)
    assert time.process_time() - begun < 2


def test_write_roll_takes_the_form_from_the_files_ending(tmp_path: Path, waltz: Notes) -> None:
    write_roll(tmp_path / "a.PNG", waltz, title="t")
    write_roll(str(tmp_path / "a.svg"), waltz, title="t")
    assert (tmp_path / "a.PNG").read_bytes() == roll_png(waltz, title="t")
    assert (tmp_path / "a.svg").read_text() == roll_svg(waltz, title="t")
    assert len(list(tmp_path.iterdir())) == 2


def test_another_ending_is_refused_with_what_would_be_right(tmp_path: Path, waltz: Notes) -> None:
    with pytest.raises(RequestError, match=r"roll\.pdf: .*\.png or \.svg"):
        write_roll(tmp_path / "roll.pdf", waltz)


def test_a_roll_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path, waltz: Notes) -> None:
    (tmp_path / "roll.png").mkdir()
    with pytest.raises(RequestError, match=r"roll\.png: cannot be written"):
        write_roll(tmp_path / "roll.png", waltz)
    with pytest.raises(RequestError, match="cannot be written"):
        write_roll(tmp_path / "missing" / "roll.svg", waltz)
    assert list(tmp_path.iterdir()) == [tmp_path / "roll.png"]


@pytest.mark.parametrize(("pitch", "name"), [(0, "C-1"), (21, "A0"), (60, "C4"), (61, "C#4"), (108, "C8")])
def test_pitches_are_named_with_c4_as_middle_c(pitch: int, name: str) -> None:
    assert pitch_name(pitch) == name


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (75.9, "1:15"), (3599, "59:59"), (7265, "2:01:05")])
def test_times_count_minutes_and_then_hours(seconds: float, text: str) -> None:
    assert format_time(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00.00"), (75.4, "1:15.40"), (3725.25, "62:05.25")])
def test_onsets_are_written_to_a_hundredth_of_a_second(seconds: float, text: str) -> None:
    assert format_onset(seconds) == text

"""What is not known of a piece stands in no answer."""

from __future__ import annotations

from arietta.serve.routes.views.figures import Figures


def test_an_upload_has_no_likelihood_and_a_piece_without_an_index_no_originality() -> None:
    assert Figures(notes=3, seconds=1.5).model_dump() == {"notes": 3, "seconds": 1.5}
    likely = Figures(notes=3, seconds=1.5, nll_per_note=2.0).model_dump()
    assert likely == {"notes": 3, "seconds": 1.5, "nll_per_note": 2.0}

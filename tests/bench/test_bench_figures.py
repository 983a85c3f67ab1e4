"""The arithmetic of the bench."""

from __future__ import annotations

import pytest

from labbridge.hl7 import incoming
from labbridge.normalise import Normaliser
from labbridge.sources import load
from tests.bench.figures import Line, percentile, ratios
from tests.bench.reading import FEED, NOW, PANEL, read_every_field


def test_a_line_is_judged_by_its_median() -> None:
    assert Line("x", "of bare", 0.2, True, (0.1, 0.2, 0.9)).met
    assert not Line("x", "of bare", 0.2, True, (0.1, 0.19, 0.9)).met
    assert Line("x", "s", 1.5, False, (1.4, 1.5, 9.0)).met
    assert not Line("x", "s", 1.5, False, (1.4, 1.6, 1.7)).met


def test_a_line_prints_bar_median_spread_and_verdict() -> None:
    text = str(Line("mllp-durable", "of bare", 0.2, True, (0.3, 0.4, 0.5), "why"))
    assert "met" in text
    assert "NOT MET" not in text
    assert "median 0.4 of bare (bar >= 0.2; 3 rounds, 0.3 to 0.5; why)" in text
    assert "NOT MET" in str(Line("x", "s", 1, False, (2.0,)))


def test_ratios_are_taken_round_by_round() -> None:
    assert ratios([1.0, 4.0], [2.0, 2.0]) == (0.5, 2.0)
    with pytest.raises(ValueError, match="zip"):
        ratios([1.0], [1.0, 2.0])


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(one) for one in range(20, 0, -1)]
    assert [percentile(values, one) for one in (0, 50, 95, 96, 100)] == [1.0, 10.0, 19.0, 20.0, 20.0]
    assert percentile([7.0], 95) == 7.0


def test_the_panel_that_is_read_is_the_one_the_bar_speaks_of() -> None:
    """2.7 KB, 8 OBX, some hundred fields, escapes; and all of it is understood."""
    assert 2600 <= len(PANEL) <= 3000
    assert PANEL.count(b"\rOBX|") == 8
    assert read_every_field() > 150
    (report,) = incoming.read_reports(PANEL, FEED, NOW)
    assert report.patient.family_name == "MUSTER^MÜLLER"
    found, _notes = Normaliser(load())(report, FEED, NOW, "M1")
    assert [one.analyte.value for one in found.results] == ["SRP", "HMGCR", "ANA_HEP2", "CK", "CREAT"]

"""How patients are known: every source has a sentence, and nothing is said where every patient is stated."""

from itertools import combinations

import pytest

from firstread.core.patient_sources import (
    PATIENT_SOURCES,
    count_patient_sources,
    describe_patient_sources,
    patient_unit,
)


def test_a_missing_source_is_none():
    assert count_patient_sources([None, "stated", "none", "study"]) == {"stated": 1, "study": 1, "none": 2}


@pytest.mark.parametrize("count", [1, 2, 3])
def test_whatever_is_not_stated_is_said(count):
    for sources in combinations(PATIENT_SOURCES, count):
        text = describe_patient_sources(dict.fromkeys(sources, 12))
        assert bool(text) == (sources != ("stated",))
        assert text == "" or text.endswith(".")
        if "none" in sources:
            assert "each case counts as a patient of its own" in text
        for source in sources:
            if source not in ("stated", "none"):
                assert patient_unit({source: 1}, 1) in text


def test_a_mixture_is_counted():
    text = describe_patient_sources({"stated": 10, "none": 5})
    assert text.startswith("The patient is stated for 10 of 15 cases. For 5 cases no patient is known:")

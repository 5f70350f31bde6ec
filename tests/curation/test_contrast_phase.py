"""Contrast phases from description, times and enhancement: what agrees, what contradicts, what is not known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstread.curation.contrast_phase import (
    ContrastPhase,
    PhaseWitnesses,
    delay_after,
    name_phase,
    phase_of_delay,
    phase_of_enhancement,
)
from firstread.curation.curation_schemas import PHASES
from firstread.curation.organ_enhancement import Enhancement

NATIVE = Enhancement(aorta_hu=42, liver_hu=55, kidney_hu=35)
ARTERIAL = Enhancement(aorta_hu=290, liver_hu=70, kidney_hu=140)
VENOUS = Enhancement(aorta_hu=150, liver_hu=108, kidney_hu=180)


@pytest.mark.parametrize(
    ("description", "phase"),
    [
        ("Abdomen nativ 4.0", "unenhanced"),
        ("Abdomen ohne KM", "unenhanced"),
        ("Abdomen sans injection", "unenhanced"),
        ("NON CONTRAST", "unenhanced"),
        ("LIVER LATE ARTERIAL 2.5", "arterial"),
        ("Oberbauch spätarteriell", "arterial"),
        ("Abdomen artériel", "arterial"),
        ("AbdVenös 5.0 B30f", "venous"),
        ("Foie temps portal", "venous"),
        ("portal_venous_5mm", "venous"),
        ("Fase venosa", "venous"),
        ("DELAYED 5 MIN", "delayed"),
        ("Spätphase", "delayed"),
        ("Abdomen tardif", "delayed"),
    ],
)
def test_words_in_several_languages(description, phase):
    found = name_phase(PhaseWitnesses(description))
    assert found.name == phase
    assert found.confidence < 0.8  # one witness alone is not sure


@pytest.mark.parametrize("description", ["", "Abdomen 5.0", "Inventory", "Partial", "Dr. Nativski", "Abdomen art+ven"])
def test_what_names_no_phase_or_two_says_nothing(description):
    assert name_phase(PhaseWitnesses(description)).name == "unknown"


@pytest.mark.parametrize(("enhancement", "phase"), [(NATIVE, "unenhanced"), (ARTERIAL, "arterial"), (VENOUS, "venous")])
def test_enhancement_alone_is_enough(enhancement, phase):
    found = name_phase(PhaseWitnesses(enhancement=enhancement))
    assert (found.name, found.confidence >= 0.8) == (phase, True)


def test_venous_and_delayed_run_into_one_another():
    between = Enhancement(aorta_hu=128, liver_hu=98, kidney_hu=165)
    assert name_phase(PhaseWitnesses(enhancement=between)).confidence < 0.85
    assert name_phase(PhaseWitnesses("Abdomen delayed", enhancement=VENOUS)).contradiction == ""


def test_organs_that_fit_no_phase_say_nothing():
    assert (
        name_phase(PhaseWitnesses(enhancement=Enhancement(aorta_hu=57, liver_hu=31, kidney_hu=116))).name == "unknown"
    )
    assert phase_of_enhancement(Enhancement(aorta_hu=150)) == (None, 0.0)


@pytest.mark.parametrize(
    ("witnesses", "text"),
    [
        (PhaseWitnesses("Abdomen ven", enhancement=NATIVE), "called venous, looks unenhanced"),
        (PhaseWitnesses("Abdomen nativ", enhancement=VENOUS), "called unenhanced, looks venous"),
        (PhaseWitnesses("Abdomen art", enhancement=VENOUS), "called arterial, looks venous"),
        (PhaseWitnesses(delay_s=70, enhancement=NATIVE), "timed as venous, looks unenhanced"),
        (PhaseWitnesses(has_agent=True, enhancement=NATIVE), "said to be enhanced, looks unenhanced"),
    ],
)
def test_what_the_pixels_contradict_is_unknown_and_said(witnesses, text):
    found = name_phase(witnesses)
    assert (found.name, found.confidence) == ("unknown", 0.0)
    assert found.contradiction.startswith(text)


def test_an_agent_alone_that_contradicts_is_less_sure():
    """Scanners name the agent of an examination in its unenhanced series, too."""
    alone = name_phase(PhaseWitnesses(has_agent=True, enhancement=NATIVE))
    called = name_phase(PhaseWitnesses("Abdomen ven", enhancement=NATIVE))
    assert alone.contradiction_confidence < called.contradiction_confidence


def test_two_witnesses_are_surer_than_one():
    words, both = name_phase(PhaseWitnesses("ven")), name_phase(PhaseWitnesses("ven", delay_s=70))
    assert both.confidence > 0.8 > words.confidence


def test_witnesses_that_disagree_without_pixels_are_not_believed():
    assert name_phase(PhaseWitnesses("Abdomen art", delay_s=70)).confidence < 0.8


@pytest.mark.parametrize(
    ("seconds", "phase"), [(30, "arterial"), (50, None), (70, "venous"), (240, "delayed"), (2, None)]
)
def test_delays(seconds, phase):
    assert phase_of_delay(seconds) == phase


def test_a_delay_over_midnight_counts_and_one_of_hours_does_not():
    assert delay_after(86_390, 60) == 70
    assert delay_after(36_000, 43_200) is None
    assert delay_after(None, 10) is None


@given(
    st.text(max_size=40),
    st.booleans(),
    st.one_of(st.none(), st.floats(0, 2000)),
    st.builds(Enhancement, *[st.one_of(st.none(), st.floats(-100, 900))] * 4),
)
def test_whatever_is_said_gives_a_phase_and_a_confidence(description, has_agent, delay_s, enhancement):
    found = name_phase(PhaseWitnesses(description, has_agent, delay_s, enhancement))
    assert isinstance(found, ContrastPhase)
    assert found.name in PHASES
    assert 0 <= found.confidence < 1
    assert found.name == "unknown" or not found.contradiction

"""Kinds of stacks by their headers."""

from pathlib import Path

import pytest

from firstread.curation.series_files import SeriesFile
from firstread.curation.series_kind import name_kind

CT, MR, CAPTURE = ("1.2.840.10008.5.1.4.1.1." + end for end in ("2", "4", "7"))
SEG, ENHANCED_CT = ("1.2.840.10008.5.1.4.1.1." + end for end in ("66.4", "2.1"))


def header(sop_class=CT, modality="CT", image_type=("ORIGINAL", "PRIMARY", "AXIAL"), **texts):
    return SeriesFile(Path("x"), {"sop_class": sop_class, "modality": modality}, texts=texts, image_type=image_type)


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        (header(), "original"),
        (header(ENHANCED_CT, image_type=("ORIGINAL", "PRIMARY", "VOLUME", "NONE")), "original"),
        (header(image_type=()), "original"),
        (header(image_type=("ORIGINAL", "PRIMARY", "LOCALIZER")), "localizer"),
        (header(MR, "MR", image_type=("ORIGINAL", "PRIMARY", "M"), SeriesDescription="3-plane loc"), "localizer"),
        (header(SeriesDescription="Topogramm 0.6"), "localizer"),
        (header(image_type=("DERIVED", "SECONDARY", "MPR")), "derived"),
        (header(image_type=("ORIGINAL", "SECONDARY")), "derived"),
        (header(image_type=(), SeriesDescription="Cor MPR"), "derived"),
        (header(DerivationDescription="Lossless JPEG"), "derived"),
        (header(CAPTURE, image_type=("DERIVED", "SECONDARY", "SCREEN SAVE")), "screenshot"),
        (header(CAPTURE, SeriesDescription="Patient Protocol"), "dose"),
        (header(image_type=("DERIVED", "SECONDARY", "SCREEN SAVE"), SeriesDescription="Dose Report"), "dose"),
        (header(SEG, "SEG", image_type=("DERIVED", "PRIMARY")), "other"),
        (header("1.2.840.10008.5.1.4.1.1.88.33", "SR"), "other"),
    ],
)
def test_kinds(file, kind):
    found = name_kind(file)
    assert found.name == kind
    assert found.evidence


def test_a_dose_word_in_an_image_of_the_patient_makes_no_dose_page():
    assert name_kind(header(SeriesDescription="Abdomen low dose nativ")).name == "original"

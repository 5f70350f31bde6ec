"""Options of the profile: which exist, which exclude one another, and what each file states."""

import pytest
from pydicom.datadict import private_dictionary_VR

from firstread.core.errors import SettingError
from firstread.deidentification import Profile, deidentify_dataset
from firstread.deidentification.profile import OPTION_CODES
from firstread.deidentification.safe_private import _SAFE as SAFE

from .identified_files import KEYS, identified_ct, item, sequence


def clean(profile, **values):
    return deidentify_dataset(identified_ct(**values), profile=profile, keys=KEYS).dataset


def test_an_option_that_does_not_exist_is_refused():
    with pytest.raises(SettingError, match='Did you mean "retain_uids"'):
        Profile(frozenset({"retain_uid"}))


def test_dates_are_not_both_kept_and_shifted():
    with pytest.raises(SettingError, match="kept and shifted at once"):
        Profile().with_options("retain_full_dates")


@pytest.mark.parametrize("option", sorted(OPTION_CODES))
def test_each_option_is_stated_in_the_file(option):
    profile = Profile(frozenset({option}))
    output = clean(profile)
    codes = {code.CodeValue for code in output.DeidentificationMethodCodeSequence}
    assert codes == {"113100", OPTION_CODES[option][0]}
    assert output.PatientIdentityRemoved == "YES"
    assert output.DeidentificationMethod[1] == "DICOM PS3.15 2024e and 35 rows of 2026c"


def test_the_basic_profile_removes_dates_age_and_descriptions():
    output = clean(Profile.basic(), StudyDescription="Liver", SeriesDescription="CT", ContentDate="20240101")
    assert not output.StudyDate
    assert not output.PatientSex
    assert [name for name in ("PatientAge", "StudyDescription", "SeriesDescription") if name in output] == []
    assert output.ContentDate == "19000101"
    assert output.LongitudinalTemporalInformationModified == "REMOVED"


def test_the_default_keeps_descriptions_age_and_moved_dates():
    output = clean(Profile(), StudyDescription="Liver of Hidden", PatientWeight="71")
    assert (output.StudyDescription, output.PatientAge, output.PatientWeight) == ("Liver of", "054Y", 71)
    assert output.LongitudinalTemporalInformationModified == "MODIFIED"


@pytest.mark.parametrize(
    ("option", "keyword", "value"),
    [
        ("retain_uids", "StudyInstanceUID", "1.2.3.1"),
        ("retain_full_dates", "StudyDate", "20240331"),
        ("retain_institution_identity", "InstitutionName", "Hiddenburg Hospital"),
        ("retain_device_identity", "DeviceSerialNumber", "SN4711"),
        ("retain_device_identity", "StationName", "CT4711"),
    ],
)
def test_what_an_option_retains(option, keyword, value):
    kept = clean(Profile.basic().with_options(option), **{keyword: value})
    gone = clean(Profile.basic(), **{keyword: value})
    assert getattr(kept, keyword) == value
    assert getattr(gone, keyword, None) != value


def test_a_retained_institution_is_not_cut_from_descriptions_and_a_name_in_it_is():
    profile = Profile().with_options("retain_institution_identity")
    output = clean(profile, InstitutionName="Hidden Hospital", StudyDescription="CT at Hidden Hospital")
    assert output.InstitutionName == "Hospital"
    assert output.StudyDescription == "CT at Hospital"


def test_graphics_keep_lines_and_lose_text():
    text = item(UnformattedTextValue="Hidden", BoundingBoxAnnotationUnits="PIXEL")
    line = item(GraphicType="POLYLINE", GraphicData=[1.0, 2.0, 3.0, 4.0], NumberOfGraphicPoints=2)
    layer = item(GraphicLayer="LAYER", TextObjectSequence=sequence(text), GraphicObjectSequence=sequence(line))
    state = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.11.1", "Modality": "PR"}
    for profile in (Profile(), Profile().with_options("clean_graphics")):
        output = clean(profile, **state, GraphicAnnotationSequence=sequence(layer)).GraphicAnnotationSequence[0]
        assert list(output.GraphicObjectSequence[0].GraphicData) == [1, 2, 3, 4]
        assert output.TextObjectSequence[0].UnformattedTextValue == "REMOVED"


def test_overlays_and_curves_are_removed():
    dataset = identified_ct()
    dataset.add_new(0x60000010, "US", 2)
    dataset.add_new(0x60003000, "OW", b"\1\0")
    dataset.add_new(0x60001500, "LO", "Hidden")
    dataset.add_new(0x50003000, "OW", b"\1\0")
    output = deidentify_dataset(dataset, profile=Profile().with_options("clean_graphics"), keys=KEYS).dataset
    assert [element for element in output if element.tag.group in (0x5000, 0x6000)] == []


def test_safe_private_numbers_are_kept_with_their_creator():
    dataset = identified_ct()
    dataset.add_new(0x70530010, "LO", "Philips PET Private Group")
    dataset.add_new(0x70531000, "DS", "0.5")
    dataset.add_new(0x70531003, "LO", "Hidden")
    kept = deidentify_dataset(dataset, profile=Profile().with_options("retain_safe_private"), keys=KEYS).dataset
    assert {int(element.tag): str(element.value) for element in kept if element.tag.is_private} == {
        0x70530010: "Philips PET Private Group",
        0x70531000: "0.5",
    }
    gone = deidentify_dataset(dataset, profile=Profile(), keys=KEYS).dataset
    assert [element for element in gone if element.tag.is_private] == []


@pytest.mark.parametrize(("place", "kinds"), list(SAFE.items()))
def test_safe_private_elements_are_numbers_as_their_makers_write_them(place, kinds):
    """Value representations as in pydicom's dictionary of private elements."""
    creator, group, element = place
    assert kinds == {private_dictionary_VR(group << 16 | 0x1000 | element, creator)}
    assert kinds <= {"IS", "DS", "FL", "FD", "US", "SS", "UL", "SL"}

"""Cases that users of other de-identification programs have reported, built again; each names its public source."""

import struct

import pydicom
import pytest
from pydicom import DataElement, Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from firstread.deidentification import (
    IdentityIndex,
    Profile,
    deidentify,
    deidentify_dataset,
    deidentify_file,
    review_class,
    verify,
)

from .identified_files import KEYS, all_options, identified_ct, item, sequence, write
from .independent_search import find_values


def clean(dataset, profile=None):
    found = deidentify_dataset(dataset, profile=profile or Profile(), keys=KEYS)
    assert found.held is None
    return found.dataset


def clean_file(dataset, tmp_path, profile=None):
    """The output as it is read back from disk, and its path."""
    source = write(dataset, tmp_path / "in" / "a.dcm")
    result = deidentify_file(source, tmp_path / "out", profile=profile or Profile(), keys=KEYS)
    assert result.held is None
    return pydicom.dcmread(tmp_path / "out" / result.output), tmp_path / "out" / result.output


def test_ideographic_and_phonetic_names(tmp_path):
    """Case 1: pydicom 856, dcm4che 1230, fo-dicom 747."""
    name = "Yamada^Tarou=山田^太郎=やまだ^たろう"
    dataset = identified_ct(SpecificCharacterSet=["", "ISO 2022 IR 87"], PatientName=name)
    dataset.SeriesDescription = "Abdomen 山田 venous"
    output, _ = clean_file(dataset, tmp_path)
    assert output.SeriesDescription == "Abdomen venous"
    assert find_values(tmp_path / "out", ["Yamada", "Tarou", "山田", "太郎", "やまだ", "たろう"]) == []
    # the original is found by the same search, so that finding nothing means something
    assert {value for _, value in find_values(tmp_path / "in", ["Yamada", "山田", "やまだ"])} == {
        "Yamada",
        "山田",
        "やまだ",
    }


@pytest.mark.filterwarnings("ignore:Incorrect value for Specific Character Set")
@pytest.mark.parametrize("term", ["ISO IR 100", "ISO_2022_IR_6", "ISO 2022 IR 6"])
def test_misspelled_character_sets(term, tmp_path):
    """Case 1: pydicom 736, 279."""
    output, _ = clean_file(identified_ct(SpecificCharacterSet=term, StudyDescription="Liver of Hidden"), tmp_path)
    assert output.StudyDescription == "Liver of"


def test_a_sequence_hidden_in_an_unknown_private_element(tmp_path):
    """Case 2: pydicom 1312, 242, 1311."""
    dataset = identified_ct()
    hidden = struct.pack("<HHL", 0xFFFE, 0xE000, 18) + struct.pack("<HHL", 0x10, 0x10, 10) + b"SECRET^ONE"
    dataset.add_new(0x00090010, "LO", "MAKER")
    dataset.add_new(0x00091010, "UN", hidden)
    for profile in (Profile(), Profile().with_options("retain_safe_private")):
        output = clean(dataset, profile)
        assert not [element for element in output if element.tag.is_private]


def test_a_standard_element_written_with_an_unknown_representation(tmp_path):
    """Case 3: an implicit file converted to explicit by a program without the dictionary."""
    dataset = identified_ct()
    dataset.add_new(0x00081048, "UN", b"SECRET^DOC")
    dataset.RequestAttributesSequence = sequence(item(RequestedProcedureID="7"))
    dataset.RequestAttributesSequence[0].add_new(0x00081048, "UN", b"SECRET^DOC")
    _, path = clean_file(dataset, tmp_path)
    assert b"SECRET" not in path.read_bytes()


def test_names_four_sequences_deep(tmp_path):
    """Case 4: mmiv 20, dicom-anonymizer 88."""
    deep = item(PatientName="Secret^Deep", CodeValue="1", CodingSchemeDesignator="L", CodeMeaning="CT of Secret")
    dataset = identified_ct()
    dataset.RequestAttributesSequence = sequence(item(RequestedProcedureCodeSequence=sequence(deep)))
    dataset.ContributingEquipmentSequence = sequence(
        item(InstitutionName="Secret Clinic", OperatorsName="Secret^Operator", Manufacturer="Maker")
    )
    modified = item(ModifiedAttributesSequence=sequence(item(PatientName="Secret^Former")))
    dataset.OriginalAttributesSequence = sequence(modified)
    output, path = clean_file(dataset, tmp_path)
    assert b"Secret" not in path.read_bytes()
    assert output.ContributingEquipmentSequence[0].Manufacturer == "Maker"
    code = output.RequestAttributesSequence[0].RequestedProcedureCodeSequence[0]
    assert (code.CodeValue, code.CodeMeaning) == ("1", "CT of")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("CT 26.05.2010 post op", "CT post op"),
        ("Thorax Wed 26.05.2010 venous", "Thorax venous"),
        ("Liver 2010-05-26 3 mm", "Liver 3 mm"),
        ("Liver May 26, 2010", "Liver"),
        ("Verlauf 26. Mai 2010", "Verlauf"),
        ("ABDOMEN 20100526 HIDDEN", "ABDOMEN"),
        ("for Dr. Smith please", "for please"),
        ("DR. SMITH liver", "liver"),
        ("MR Mamma", "MR Mamma"),
        ("see 1.2.826.0.1.3680043.8.498.4711", "see"),
        ("DR Thorax", "DR Thorax"),
        ("L4/5 T2 FSE 1.5 mm", "L4/5 T2 FSE 1.5 mm"),
        ("Head^Routine 3/4 4.0.0", "Head^Routine 3/4 4.0.0"),
    ],
)
def test_dates_and_names_in_descriptions(text, kept):
    """Case 5: deid 175; clinical words stay (MIDI-B's text_retained)."""
    output = clean(identified_ct(SeriesDescription=text, ProtocolName=text))
    assert output.SeriesDescription == output.ProtocolName == kept


def test_dates_in_private_text_go_with_it():
    """Case 5: deid 175."""
    dataset = identified_ct()
    dataset.add_new(0x00290010, "LO", "SIEMENS CSA HEADER")
    dataset.add_new(0x00291019, "LO", "20100526")
    assert 0x00291019 not in clean(dataset)


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_dates_move_together_and_times_stay():
    """Case 7: dcmjs 507, z-rad PR 282, adit PR 286, mmiv 13 and 20 (PET dose)."""
    dataset = identified_ct(TimezoneOffsetFromUTC="+0200", AcquisitionDateTime="20240331235930.5+0200")
    dataset.AcquisitionDate, dataset.AcquisitionTime = "20240331", "235930.5"
    dataset.ContentDate, dataset.ContentTime = "20240401", "000030"
    dataset.FrameReferenceDateTime = "unconverted data remains"
    output = clean(dataset)
    assert output.AcquisitionDateTime == output.AcquisitionDate + "235930.5+0200"
    assert output.AcquisitionDate != "20240331"
    assert (output.AcquisitionTime, output.TimezoneOffsetFromUTC) == ("235930.5", "+0200")
    days = [pydicom.valuerep.DA(getattr(output, name)).toordinal() for name in ("AcquisitionDate", "ContentDate")]
    assert days[1] - days[0] == 1
    assert "unconverted" not in str(output)


def test_the_interval_from_injection_to_acquisition_is_unchanged():
    """Case 7: mmiv 20: a PET's uptake values need it."""
    dataset = identified_ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.128", Modality="PT", SeriesDate="20240331")
    injection = item(RadiopharmaceuticalStartDateTime="20240330233000", RadiopharmaceuticalStartTime="233000")
    dataset.RadiopharmaceuticalInformationSequence = sequence(injection)
    output = clean(dataset)
    start = output.RadiopharmaceuticalInformationSequence[0].RadiopharmaceuticalStartDateTime
    ordinal = [pydicom.valuerep.DA(day).toordinal() for day in (start[:8], output.SeriesDate)]
    assert ordinal[1] - ordinal[0] == 1
    assert start.endswith("233000")


def test_an_age_over_89_is_90_in_every_study(tmp_path):
    """Case 8: deid 303, dcm2niix 966, MIMIC 430."""
    for number, (age, day) in enumerate([("089Y", "20190101"), ("091Y", "20210401"), ("999M", "20210402")]):
        ct = identified_ct(PatientAge=age, StudyDate=day, PatientBirthDate="19291231", SOPInstanceUID=f"1.9.{number}")
        write(ct, tmp_path / "in" / f"{number}.dcm")
    deidentify(tmp_path / "in", tmp_path / "out", keys=KEYS)
    outputs = [pydicom.dcmread(path) for path in (tmp_path / "out").rglob("*.dcm")]
    assert [(output.PatientAge, output.PatientBirthDate) for output in outputs] == [("090Y", "")] * 3


def test_a_birth_date_over_89_years_ago_counts_without_an_age():
    """Case 8."""
    output = clean(identified_ct(PatientBirthDate="19200101", PatientAge="088Y"))
    assert output.PatientAge == "090Y"


def test_a_birth_date_in_another_calendar():
    """Case 9: (0010,0033) and its neighbours stand in no edition's table."""
    dataset = identified_ct(PatientBirthDateInAlternativeCalendar="1372-02-01", PatientAlternativeCalendar="ISLAMIC")
    dataset.PatientDeathDateInAlternativeCalendar = "1440-02-01"
    output = clean(dataset)
    assert [tag for tag in (0x00100033, 0x00100034, 0x00100035) if tag in output] == []


def test_references_resolve_when_objects_are_done_apart(tmp_path):
    """Case 11: OHIF 1782; measured on dicom-anonymizer: SeriesInstanceUID of ReferencedSeriesSequence is left."""
    reference = item(ReferencedSOPClassUID=identified_ct().SOPClassUID, ReferencedSOPInstanceUID="1.2.3.3")
    series = item(SeriesInstanceUID="1.2.3.2", ReferencedInstanceSequence=sequence(reference))
    segmentation = identified_ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.66.4", Modality="SEG", SOPInstanceUID="1.2.3.9")
    segmentation.ReferencedSeriesSequence = sequence(series)
    structures = identified_ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.481.3", Modality="RTSTRUCT", SOPInstanceUID="1.2.8")
    contour = item(ContourImageSequence=sequence(reference), ContourGeometricType="POINT", NumberOfContourPoints=1)
    contour.ContourData = [1, 2, 3]
    structures.ROIContourSequence = sequence(item(ReferencedROINumber=1, ContourSequence=sequence(contour)))
    frame = item(FrameOfReferenceUID="1.2.3.4")
    structures.ReferencedFrameOfReferenceSequence = sequence(frame)
    report = identified_ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.33", Modality="SR", SOPInstanceUID="1.2.7")
    report.CurrentRequestedProcedureEvidenceSequence = sequence(
        item(
            StudyInstanceUID="1.2.3.1",
            ReferencedSeriesSequence=sequence(
                item(SeriesInstanceUID="1.2.3.2", ReferencedSOPSequence=sequence(reference))
            ),
        )
    )
    state = identified_ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.11.1", Modality="PR", SOPInstanceUID="1.2.6")
    state.ReferencedSeriesSequence = sequence(
        item(SeriesInstanceUID="1.2.3.2", ReferencedImageSequence=sequence(reference))
    )
    image = clean(identified_ct())
    new = {keyword: getattr(image, keyword) for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")}
    profile = all_options()
    segmentation, structures, report, state = (clean(one, profile) for one in (segmentation, structures, report, state))
    found = segmentation.ReferencedSeriesSequence[0]
    assert found.SeriesInstanceUID == new["SeriesInstanceUID"]
    assert found.ReferencedInstanceSequence[0].ReferencedSOPInstanceUID == new["SOPInstanceUID"]
    contour = structures.ROIContourSequence[0].ContourSequence[0]
    assert contour.ContourImageSequence[0].ReferencedSOPInstanceUID == new["SOPInstanceUID"]
    frame = structures.ReferencedFrameOfReferenceSequence[0]
    assert frame.FrameOfReferenceUID == image.FrameOfReferenceUID
    evidence = report.CurrentRequestedProcedureEvidenceSequence[0]
    assert evidence.StudyInstanceUID == new["StudyInstanceUID"]
    assert evidence.ReferencedSeriesSequence[0].SeriesInstanceUID == new["SeriesInstanceUID"]
    shown = state.ReferencedSeriesSequence[0]
    assert shown.ReferencedImageSequence[0].ReferencedSOPInstanceUID == new["SOPInstanceUID"]
    assert shown.ReferencedImageSequence[0].ReferencedSOPClassUID == image.SOPClassUID


def test_file_meta_preamble_padding_and_trailing_bytes(tmp_path):
    """Case 12: deid 183 and 72, slicebox 200, dicom-anonymizer 21."""
    dataset = identified_ct()
    dataset.file_meta.SourceApplicationEntityTitle = "SECRET_AE"
    dataset.file_meta.SendingApplicationEntityTitle = "SECRET_AE"
    dataset.add_new(0xFFFCFFFC, "OB", b"PAD SECRET^PAD")
    dataset.preamble = b"II*\0SECRET/path".ljust(128, b"\0")
    source = write(dataset, tmp_path / "in" / "a.dcm")
    source.write_bytes(source.read_bytes() + b"TRLO\x04\0\0\0SECRET trailing bytes of no element")
    result = deidentify_file(source, tmp_path / "out", profile=Profile(), keys=KEYS)
    if result.held is None:
        data = (tmp_path / "out" / result.output).read_bytes()
        assert data[:128] == bytes(128)
        assert b"SECRET" not in data
        assert pydicom.dcmread(tmp_path / "out" / result.output).file_meta.MediaStorageSOPInstanceUID == KEYS.uid(
            "1.2.3.3"
        )
    else:
        assert "broken" in result.held


def test_padding_is_dropped(tmp_path):
    """Case 12: pydicom writes (FFFC,FFFC) back."""
    dataset = identified_ct()
    dataset.add_new(0xFFFCFFFC, "OB", b"PAD SECRET^PAD")
    dataset.preamble = b"II*\0SECRET/path".ljust(128, b"\0")
    dataset.file_meta.SourceApplicationEntityTitle = "SECRET_AE"
    output, path = clean_file(dataset, tmp_path)
    assert 0xFFFCFFFC not in output
    assert path.read_bytes()[:128] == bytes(128)
    assert b"SECRET" not in path.read_bytes()
    assert output.file_meta.MediaStorageSOPInstanceUID == output.SOPInstanceUID


def test_a_dicomdir_is_never_copied(tmp_path):
    """Case 13: dicom-anonymizer 41, fo-dicom 751."""
    from pydicom.data import get_testdata_file

    result = deidentify_file(get_testdata_file("DICOMDIR"), tmp_path / "out", profile=Profile(), keys=KEYS)
    assert result.held == "A DICOMDIR lists names and identifiers of patients; it is never copied"
    assert not (tmp_path / "out").exists()


def test_the_transfer_syntax_and_the_pixels_stay():
    """Case 16, as far as headers go: deid 240; decoded pixels are those of the original."""
    from pydicom.data import get_testdata_file

    for name in ("JPEG2000.dcm", "SC_rgb_jpeg_dcmtk.dcm", "MR_small_RLE.dcm", "SC_ybr_full_422_uncompressed.dcm"):
        original = pydicom.dcmread(get_testdata_file(name))
        original.PatientID = "H-4711-0815"
        output = clean(original, all_options(original))
        assert output.file_meta.TransferSyntaxUID == original.file_meta.TransferSyntaxUID
        assert output.PixelData == original.PixelData
        assert output.PhotometricInterpretation == original.PhotometricInterpretation


@pytest.mark.parametrize(
    ("sop_class", "values", "held"),
    [
        ("1.2.840.10008.5.1.4.1.1.2", {"BurnedInAnnotation": "YES"}, "text is burned in"),
        ("1.2.840.10008.5.1.4.1.1.1", {"BurnedInAnnotation": "NO"}, "often carry text"),
        ("1.2.840.10008.5.1.4.1.1.7", {}, "often carry text"),
        ("1.2.840.10008.5.1.4.1.1.6.1", {}, "often carry text"),
        ("1.2.840.10008.5.1.4.1.1.2", {"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "picture of a screen"),
    ],
)
def test_pixels_that_may_carry_text_wait_for_a_person(sop_class, values, held):
    """Case 18: CTP 16, pydicom 375: the header's NO is not taken for it."""
    dataset = identified_ct(SOPClassUID=sop_class, **values)
    reviewed = Profile(reviewed=frozenset({review_class(dataset)}))
    for profile in (Profile(), reviewed):  # a yes of a person does not replace the search
        reason = deidentify_dataset(dataset, profile=profile, keys=KEYS).held
        assert held in reason
        assert "needs the option clean_pixel_data" in reason
    waiting = deidentify_dataset(dataset, profile=Profile().with_options("clean_pixel_data"), keys=KEYS).held
    assert "waits for a person" in waiting
    cleaned = deidentify_dataset(dataset, profile=reviewed.with_options("clean_pixel_data"), keys=KEYS)
    assert (cleaned.held, cleaned.dataset.BurnedInAnnotation) == (None, "NO")


@pytest.mark.parametrize(
    ("sop_class", "held"),
    [
        ("1.2.840.10008.5.1.4.1.1.104.1", "encapsulated document"),
        ("1.2.840.10008.5.1.4.1.1.104.2", "encapsulated document"),
        ("1.2.840.10008.5.1.4.1.1.88.11", "structured report"),
        ("1.2.840.10008.5.1.4.1.1.9.1.1", "not on the list"),  # ECG
        ("1.3.12.2.1107.5.9.1", "not on the list"),  # a maker's own class
        ("", "not on the list"),
    ],
)
def test_reports_documents_waveforms_and_unknown_objects_are_held_back(sop_class, held):
    """Case 19: Orthanc keeps PDF and says that identity was removed."""
    dataset = identified_ct(SOPClassUID=sop_class)
    assert held in deidentify_dataset(dataset, profile=Profile(), keys=KEYS).held


def test_a_structured_report_is_cleaned_with_the_option(tmp_path):
    """Case 19: text, person name and observer of a report."""
    concept = sequence(item(CodeValue="121071", CodingSchemeDesignator="DCM", CodeMeaning="Finding"))
    text = item(ValueType="TEXT", TextValue="Lesion of Mrs. Hidden, 26.05.2010, 12 mm", ConceptNameCodeSequence=concept)
    person = item(ValueType="PNAME", PersonName="Secret^Reader", ConceptNameCodeSequence=concept)
    report = identified_ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.33", Modality="SR")
    del report.PixelData, report.Rows, report.Columns
    report.ContentSequence = sequence(text, person)
    report.VerifyingObserverSequence = sequence(
        item(
            VerifyingObserverName="Secret^Observer", VerifyingOrganization="Secret Clinic", VerificationDateTime="2024"
        )
    )
    output, _ = clean_file(report, tmp_path, all_options())
    assert "12 mm" in output.ContentSequence[0].TextValue
    assert find_values(tmp_path / "out", ["Secret", "Hidden", "2010"]) == []
    assert output.VerifyingObserverSequence[0].VerifyingObserverName == "REMOVED"


def test_an_enhanced_object_keeps_its_functional_groups():
    """Case 20: RSNA Anonymizer 22."""
    frames = [
        item(
            FrameContentSequence=sequence(
                item(FrameAcquisitionDateTime=f"2024033123595{n}.5", FrameReferenceDateTime="")
            ),
            PlanePositionSequence=sequence(item(ImagePositionPatient=[0, 0, n])),
        )
        for n in range(2)
    ]
    dataset = identified_ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.2.1", NumberOfFrames=2, PixelData=bytes(16))
    dataset.PerFrameFunctionalGroupsSequence = sequence(*frames)
    output = clean(dataset)
    groups = output.PerFrameFunctionalGroupsSequence
    assert [group.PlanePositionSequence[0].ImagePositionPatient[2] for group in groups] == [0, 1]
    times = [group.FrameContentSequence[0].FrameAcquisitionDateTime for group in groups]
    assert [time[8:] for time in times] == ["235950.5", "235951.5"]
    assert {time[:8] for time in times} == {output.StudyDate}


def test_blank_and_placeholder_patients_are_never_one_patient():
    """Case 21: RSNA Anonymizer 18."""
    for blank in ("", "   ", "ANONYMOUS", "unknown"):
        found = deidentify_dataset(identified_ct(PatientID=blank), profile=Profile(), keys=KEYS)
        assert "No patient is stated" in found.held


def test_one_identifier_of_two_people_is_held_back(tmp_path):
    """Case 21: shanoir 3160."""
    write(identified_ct(), tmp_path / "in" / "a.dcm")
    other = identified_ct(PatientBirthDate="19800101", SOPInstanceUID="1.2.9", StudyInstanceUID="1.2.8")
    write(other, tmp_path / "in" / "b.dcm")
    result = deidentify(tmp_path / "in", tmp_path / "out", keys=KEYS)
    assert result.written == 0
    assert all("different birth dates" in file.reason for file in result.held)


def test_two_identifiers_in_one_study_are_held_back(tmp_path):
    """Case 21: RSNA Anonymizer 18, orthanc-explorer-2 80."""
    write(identified_ct(), tmp_path / "in" / "a.dcm")
    write(identified_ct(PatientID="X-1", SOPInstanceUID="1.2.9"), tmp_path / "in" / "b.dcm")
    result = deidentify(tmp_path / "in", tmp_path / "out", keys=KEYS)
    assert result.written == 0
    assert all("two PatientIDs" in file.reason for file in result.held)


def test_spellings_of_an_identifier_are_one_patient_and_issuers_are_two():
    """Case 21: `0012` and `12 `; the same number of two hospitals."""
    spelled = {clean(identified_ct(PatientID=text)).PatientID for text in ("0012", "12 ")}
    issued = {clean(identified_ct(PatientID="12", IssuerOfPatientID=text)).PatientID for text in ("A", "B")}
    assert len(spelled) == 1
    assert len(issued) == 2


def test_files_with_one_instance_uid(tmp_path):
    """Case 23: dcm4chee 4754, 4518: identical files are one, different ones are both held back."""
    write(identified_ct(), tmp_path / "same" / "a.dcm")
    write(identified_ct(), tmp_path / "same" / "b.dcm")
    same = deidentify(tmp_path / "same", tmp_path / "out1", keys=KEYS)
    assert (same.written, [file.reason for file in same.held]) == (
        1,
        ["The same file as another one, byte for byte: that one is kept"],
    )
    write(identified_ct(), tmp_path / "other" / "a.dcm")
    write(identified_ct(PixelData=bytes(8)), tmp_path / "other" / "b.dcm")
    other = deidentify(tmp_path / "other", tmp_path / "out2", keys=KEYS)
    assert other.written == 0
    assert all("other contents" in file.reason for file in other.held)


def test_no_name_in_file_names_messages_or_reports(tmp_path, capfd, caplog):
    """Case 31: shanoir 2800, pynetdicom 911."""
    folder = tmp_path / "in" / "Hidden_Harriet"
    write(identified_ct(), folder / "CT^4711.dcm")
    broken = write(identified_ct(SOPInstanceUID="1.2.9"), folder / "Hidden broken.dcm")
    broken.write_bytes(broken.read_bytes()[:-3])
    (folder / "Hidden.txt").write_text("Hidden^Harriet")
    result = deidentify(tmp_path / "in", tmp_path / "out", keys=KEYS)
    assert result.written == 1
    assert len(result.held) == 2
    result.report().write(tmp_path / "out" / "report.html")
    verification = verify(tmp_path / "in", tmp_path / "out", keys=KEYS)
    verification.report().write(tmp_path / "out" / "verification.html")
    assert find_values(tmp_path / "out", ["Hidden", "Harriet", "4711-0815", "19700321"]) == []
    said = "".join(capfd.readouterr()) + caplog.text + repr(result) + repr(verification)
    assert "Hidden" not in said
    assert "4711" not in said


def test_a_segmentation_keeps_frames_and_order():
    """Case 33: highdicom 330, 117, 338: bytes and per-frame groups as they were."""
    frames = [item(PlanePositionSequence=sequence(item(ImagePositionPatient=[0, 0, z]))) for z in (3, 1, 2)]
    dataset = identified_ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.66.4", Modality="SEG", NumberOfFrames=3)
    dataset.PixelData = bytes(range(24))
    dataset.PerFrameFunctionalGroupsSequence = sequence(*frames)
    output = clean(dataset)
    positions = [
        group.PlanePositionSequence[0].ImagePositionPatient[2] for group in output.PerFrameFunctionalGroupsSequence
    ]
    assert positions == [3, 1, 2]
    assert output.PixelData == dataset.PixelData


@pytest.mark.filterwarnings("ignore:The value")
def test_values_that_break_their_representation(tmp_path):
    """Case 35: DS too long, LO over 64 characters, text in a number, 2 MB of LT."""
    dataset = identified_ct(StudyDescription="x" * 100 + " Hidden")
    dataset.add(DataElement(0x00101030, "DS", ""))
    dataset.PatientComments = "Hidden " * 300_000
    source = write(dataset, tmp_path / "in" / "a.dcm")
    data = source.read_bytes().replace(b"\x10\x00\x30\x10DS\x00\x00", b"\x10\x00\x30\x10DS\x0a\x0080 Hidden ")
    source.write_bytes(data)
    result = deidentify_file(source, tmp_path / "out", profile=Profile(), keys=KEYS)
    if result.held is None:
        assert find_values(tmp_path / "out", ["Hidden"]) == []


def test_an_unknown_representation_is_held_back_or_dropped(tmp_path):
    """Case 35: a VR that does not exist."""
    source = write(identified_ct(StudyDescription="Hidden liver"), tmp_path / "in" / "a.dcm")
    source.write_bytes(source.read_bytes().replace(b"\x08\x00\x30\x10LO", b"\x08\x00\x30\x10ZZ"))
    result = deidentify_file(source, tmp_path / "out", profile=Profile(), keys=KEYS)
    assert result.held or find_values(tmp_path / "out", ["Hidden"]) == []


def test_an_image_that_was_cut_off_before_its_pixels_is_held_back():
    dataset = identified_ct()
    del dataset.PixelData
    assert "without pixels" in deidentify_dataset(dataset, profile=Profile(), keys=KEYS).held


def test_implicit_and_explicit_files_are_alike(tmp_path):
    """Elements without a VR in the file have the same rules."""
    seen = []
    for syntax in (ImplicitVRLittleEndian, ExplicitVRLittleEndian):
        dataset = identified_ct(StudyDescription="Hidden liver")
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = syntax
        write(dataset, tmp_path / syntax / "a.dcm")
        result = deidentify_file(tmp_path / syntax / "a.dcm", tmp_path / f"out{syntax}", profile=Profile(), keys=KEYS)
        seen.append({str(element) for element in pydicom.dcmread(tmp_path / f"out{syntax}" / result.output)})
    assert seen[0] == seen[1]


def test_identities_of_shards_merge_to_those_of_the_archive():
    """Two shards that each see one patient of a study say so when they are put together."""
    shards = IdentityIndex(), IdentityIndex()
    shards[0].add(identified_ct())
    shards[1].add(identified_ct(PatientID="X-1"))
    shards[0].merge(shards[1])
    assert "two PatientIDs" in shards[0].identity(identified_ct()).reason_to_hold()


def test_an_item_without_patient_stays_a_dataset():
    """An empty sequence item does not stop the walk."""
    dataset = identified_ct()
    dataset.RequestAttributesSequence = sequence(Dataset())
    assert len(clean(dataset).RequestAttributesSequence) == 1


def test_passes_in_one_series_can_still_be_told_apart(tmp_path):
    """Case 24: vtk-dicom 220, Slicer PR 4801, monai-deploy 532: number, time and position of each pass stay."""
    for number in range(6):
        image = identified_ct(SOPInstanceUID=f"1.2.3.3.{number}", InstanceNumber=number + 1)
        image.AcquisitionNumber, image.AcquisitionTime = number // 2 + 1, f"0901{number // 2:02d}.5"
        image.ImagePositionPatient, image.ImageOrientationPatient = [0, 0, number % 2 * 5.0], [1, 0, 0, 0, 1, 0]
        write(image, tmp_path / "in" / f"{number}.dcm")
    deidentify(tmp_path / "in", tmp_path / "out", keys=KEYS)
    outputs = [pydicom.dcmread(path) for path in (tmp_path / "out").rglob("*.dcm")]
    assert len({output.SeriesInstanceUID for output in outputs}) == 1
    places = {(int(output.AcquisitionNumber), output.ImagePositionPatient[2]) for output in outputs}
    assert places == {(number, z) for number in (1, 2, 3) for z in (0.0, 5.0)}
    assert {output.AcquisitionTime for output in outputs} == {"090100.5", "090101.5", "090102.5"}


def test_what_tells_missing_and_doubled_slices_stays():
    """Case 25: dcm2niix 468, 287: positions and exposure stay, a number that was absent is not invented."""
    image = identified_ct(ImagePositionPatient=[0, 0, -13.5], Exposure=120, XRayTubeCurrent=80, SliceThickness=1)
    output = clean(image)
    assert "InstanceNumber" not in output
    assert list(output.ImagePositionPatient) == [0, 0, -13.5]
    assert (int(output.Exposure), int(output.XRayTubeCurrent), float(output.SliceThickness)) == (120, 80, 1.0)


def test_localizers_and_derived_images_say_what_they_are():
    """Cases 27 and 28: dcm2niix 140, 404, 894, heudiconv 813, 624: type, orientation, number, each its own UID."""
    plane = [1, 0, 0, 0, 0, -1]
    localizer = identified_ct(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], ImageOrientationPatient=plane)
    derived = identified_ct(ImageType=["DERIVED", "SECONDARY", "MPR"], SeriesInstanceUID="1.2.3.5", SeriesNumber=4)
    original = identified_ct(ImageType=["ORIGINAL", "PRIMARY", "AXIAL"], SeriesNumber=4, ProtocolName="Liver venous")
    derived.ProtocolName = original.ProtocolName
    localizer, derived, original = (clean(image) for image in (localizer, derived, original))
    assert localizer.ImageType[2] == "LOCALIZER"
    assert list(localizer.ImageOrientationPatient) == plane
    assert derived.ImageType[0] == "DERIVED"
    assert (derived.SeriesNumber, derived.ProtocolName) == (original.SeriesNumber, "Liver venous")
    assert derived.SeriesInstanceUID != original.SeriesInstanceUID


def test_a_session_under_two_study_uids_stays_one_day_of_one_patient():
    """Case 29: heudiconv 377, 490: nothing is merged, and what links the two stays."""
    first, second = (clean(identified_ct(StudyInstanceUID=uid, StudyTime="0900")) for uid in ("1.2.3.1", "1.2.3.8"))
    assert first.StudyInstanceUID != second.StudyInstanceUID
    assert (first.PatientID, first.StudyDate, first.StudyTime) == (second.PatientID, second.StudyDate, second.StudyTime)


def test_a_value_map_refers_to_the_same_image_when_it_is_done_apart():
    """Case 11: measured on dicom-anonymizer: SeriesInstanceUID in RWVM items is left as it was."""
    reference = item(ReferencedSOPClassUID=identified_ct().SOPClassUID, ReferencedSOPInstanceUID="1.2.3.3")
    mapping = item(RealWorldValueSlope=1.0, RealWorldValueIntercept=0.0, LUTLabel="HU", LUTExplanation="of Hidden")
    values = item(RealWorldValueMappingSequence=sequence(mapping), ReferencedImageSequence=sequence(reference))
    series = item(SeriesInstanceUID="1.2.3.2", ReferencedInstanceSequence=sequence(reference))
    value_map = identified_ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.67", Modality="RWV", SOPInstanceUID="1.2.3.7")
    del value_map.PixelData, value_map.Rows, value_map.Columns
    value_map.ReferencedImageRealWorldValueMappingSequence = sequence(values)
    value_map.ReferencedSeriesSequence = sequence(series)
    output, image = clean(value_map), clean(identified_ct())
    mapped = output.ReferencedImageRealWorldValueMappingSequence[0]
    assert mapped.ReferencedImageSequence[0].ReferencedSOPInstanceUID == image.SOPInstanceUID
    assert output.ReferencedSeriesSequence[0].SeriesInstanceUID == image.SeriesInstanceUID
    assert mapped.RealWorldValueMappingSequence[0].RealWorldValueSlope == 1.0
    assert "Hidden" not in str(output)

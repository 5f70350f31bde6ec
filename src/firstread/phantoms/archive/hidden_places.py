"""Places beyond the plain header where archives hold identities: one function a case, each with its public source."""

import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from firstread.phantoms.archive.header_modules import add_protocol, make_code, make_item
from firstread.phantoms.archive.studies import Instance, Study
from firstread.phantoms.archive.truth import Action


def hide_in_nested_sequences(instance: Instance, study: Study) -> None:
    """A name four sequences deep, in a code sequence, in contributing equipment and in original attributes."""
    note = (
        "case 4: nested sequences, a name inside a code sequence (mmiv DICOMAnonymizer 20; Kitware dicom-anonymizer 88)"
    )
    who, dataset = study.identity, instance.dataset
    deep = make_item(PatientName=who.person_name, PatientID=who.patient_id)
    code = make_code("CTABD", "99LOCAL", "CT abdomen")
    code.PatientName = who.person_name
    code.ReferencedPatientPhotoSequence = [
        make_item(OriginalAttributesSequence=[make_item(ModifiedAttributesSequence=[deep])])
    ]
    dataset.RequestAttributesSequence = [
        make_item(
            RequestedProcedureID=study.study_id,
            ScheduledProcedureStepID=study.study_id,
            RequestedProcedureDescription="CT abdomen three phases",
            RequestedProcedureCodeSequence=[code],
        )
    ]
    dataset.ContributingEquipmentSequence = [
        make_item(
            PurposeOfReferenceCodeSequence=[make_code("109101", "DCM", "Acquisition Equipment")],
            Manufacturer="FIRSTREAD PHANTOMS",
            InstitutionName=who.hospital,
            OperatorsName=who.operator,
            ContributionDateTime=study.when.strftime("%Y%m%d%H%M%S"),
        )
    ]
    dataset.OriginalAttributesSequence = [
        make_item(
            SourceOfPreviousValues=who.hospital,
            AttributeModificationDateTime=study.when.strftime("%Y%m%d%H%M%S"),
            ModifyingSystem="PACS",
            ReasonForTheAttributeModification="CORRECT",
            ModifiedAttributesSequence=[make_item(PatientName=who.person_name, PatientID=who.other_id)],
        )
    ]
    for path in ("(0040,0275)", "(0018,a001)", "(0400,0561)"):
        instance.cases[path] = note


def hide_in_private_blocks(instance: Instance, study: Study) -> None:
    """Private elements of several creators: names, dates in text, a private sequence, an unknown creator."""
    who, dataset = study.identity, instance.dataset
    ours = dataset.private_block(0x0029, "FIRSTREAD CSA HEADER", create=True)
    ours.add_new(0x10, "LO", "20100526")
    ours.add_new(0x11, "PN", who.person_name)
    ours.add_new(0x12, "LT", f"table of {who.latin_family}, {who.latin_given}, ward {who.ward}")
    other = dataset.private_block(0x0029, "DEPARTMENT RIS", create=True)
    other.add_new(0x01, "DA", who.birth_date.strftime("%Y%m%d"))
    other.add_new(0x02, "SH", study.accession)
    other.add_new(0x03, "OB", f"user={who.latin_family};id={who.patient_id}".encode() + b"\0")
    block = dataset.private_block(0x0043, "INVENTED_WORKLIST_01", create=True)
    block.add_new(0x20, "SQ", Sequence([make_item(PatientName=who.person_name, InstitutionName=who.hospital)]))
    for group in ("(0029,", "(0043,"):
        instance.cases[group] = "case 5: names and dates in private elements (deid 175; Kitware dicom-anonymizer 10)"


def hide_in_unknown_sequence(instance: Instance, study: Study) -> None:
    """A private element written as UN whose bytes are a sequence with a name, in implicit little endian."""
    block = instance.dataset.private_block(0x0009, "INVENTED_UN_01", create=True)
    name = f"{study.identity.latin_family.upper()}^{study.identity.latin_given.upper()}"
    block.add_new(0x10, "UN", _implicit_item(name))
    instance.cases["(0009,"] = "case 2: a sequence with a name written as UN (pydicom 1312, 242, 1311)"


def hide_in_unknown_vr(instance: Instance, study: Study) -> None:
    """A standard element written with VR UN, at the top and in an item."""
    name, note = study.identity.physician, "case 3: a standard element written as UN (pydicom 1312)"
    item = Dataset()
    for dataset in (instance.dataset, item):
        dataset[0x00081048] = _unknown_element(0x00081048, name)
    instance.dataset.ReferencedRequestSequence = [item]
    for path in ("(0008,1048)", "(0040,a370)[0].(0008,1048)"):
        instance.actions.append(Action(path, "PhysiciansOfRecord", "text_removed", name, note=note))


def hide_in_descriptors(instance: Instance, study: Study) -> None:
    """Names and dates typed into descriptions, among clinical words that must stay."""
    who = study.identity
    note = "case 5: dates and names in public text, clinical words are kept (deid 175)"
    text = f"CT {study.when:%d.%m.%Y} post op {who.latin_family.upper()}"
    add_protocol(instance, "SeriesDescription", text, kept=("CT", "post op"), note=note)
    text = f"Liver Mi {study.when:%Y-%m-%d}"
    add_protocol(instance, "ProtocolName", text, kept=("Liver",), note=note)
    comment = f"{who.latin_given} {who.latin_family}, tel {who.phone}: breath hold poor, motion at the dome"
    add_protocol(instance, "ImageComments", comment, kept=("breath hold poor", "motion at the dome"), note=note)
    history = f"Colon cancer 2018, seen by Dr {who.physician.split('^')[0]}"
    add_protocol(instance, "AdditionalPatientHistory", history, kept=(), note=note)


def hide_outside_dataset(instance: Instance, study: Study) -> None:
    """Names in the preamble, AE titles in the meta information, bytes and padding behind the data set."""
    note = "case 12: file meta, preamble and bytes behind the data set (deid 183, 72; slicebox 200; Kitware 21)"
    who = study.identity
    path = f"/export/{who.latin_family.upper()}_{who.patient_id}.tif".encode()
    instance.preamble = (b"II*\0" + struct.pack("<I", 8) + path).ljust(128, b"\0")[:128]
    titles = {"SourceApplicationEntityTitle": who.station, "SendingApplicationEntityTitle": f"{who.station}_OUT"}
    instance.meta |= titles
    padding = f"PAD {who.latin_family.upper()}^{who.latin_given.upper()}".encode()
    instance.dataset.add_new((0xFFFC, 0xFFFC), "OB", padding + b"\0" * (len(padding) % 2))
    hidden = [("preamble", who.latin_family.upper()), ("preamble", who.patient_id), ("(fffc,fffc)", padding.decode())]
    hidden += [("(0002,0016)", titles["SourceApplicationEntityTitle"])]
    hidden += [("(0002,0017)", titles["SendingApplicationEntityTitle"])]
    instance.actions += [Action(place, "", "text_removed", text, note=note) for place, text in hidden]


def hide_behind_dataset(instance: Instance, study: Study) -> None:
    """Text appended to a complete file by a gateway: pydicom reads it as a further element."""
    who = study.identity
    text = f"TRAILING {who.latin_family.upper()} {who.patient_id}"
    instance.trailing = text.encode("ascii") + b" " * (len(text) % 2)
    note = "case 12: bytes behind the data set, read as element (5254,4941) (Kitware dicom-anonymizer 21)"
    instance.actions += [
        Action("trailing", "", "text_removed", value, note=note) for value in (who.latin_family.upper(), who.patient_id)
    ]
    instance.violations.append("Tags out of order - trailing garbage")


def hide_in_rare_elements(instance: Instance, study: Study) -> None:
    """Elements that no edition's table lists, or that few tools know."""
    who, dataset = study.identity, instance.dataset
    year = who.birth_date.year - 621
    dataset.PatientBirthDateInAlternativeCalendar = f"{year}-{who.birth_date.month:02d}-01"
    dataset.PatientAlternativeCalendar = "ISLAMIC"
    instance.cases["(0010,0033)"] = "case 9: birth date in an alternative calendar, in no edition's table"
    dataset.PatientComments = f"Mother: {who.latin_family}, reachable at {who.phone}"
    dataset.CurrentPatientLocation = who.ward
    dataset.AdmissionID = study.study_id
    dataset.Occupation = "teacher"
    dataset.PatientInsurancePlanCodeSequence = [make_code("AOK", "99LOCAL", f"Insurance of {who.latin_family}")]
    dataset.OtherPatientIDs = who.other_id


def hide_in_times(instance: Instance, study: Study) -> None:
    """A date and time with junk behind it, and an offset from UTC: days are shifted, times of day stay."""
    dataset = instance.dataset
    day = study.when.strftime("%Y%m%d")
    dataset.DateOfLastCalibration = [day, day]
    dataset.TimeOfLastCalibration = ["093000", "101500"]
    dataset.ScheduledProcedureStepStartDate = day
    dataset.ScheduledProcedureStepStartDateTime = study.when.strftime("%Y%m%d%H%M%S") + study.identity.region.utc_offset
    for path in ("(0018,1200)", "(0040,0002)", "(0040,4005)"):
        instance.cases[path] = "case 7: several dates in one element, DT with offset (dcmjs 507; adit PR 286)"


#: case -> what hides an identity there
HIDERS: Mapping[str, Callable[[Instance, Study], None]] = MappingProxyType(
    {
        "nested": hide_in_nested_sequences,
        "private": hide_in_private_blocks,
        "unknown sequence": hide_in_unknown_sequence,
        "unknown vr": hide_in_unknown_vr,
        "descriptors": hide_in_descriptors,
        "outside": hide_outside_dataset,
        "behind": hide_behind_dataset,
        "rare": hide_in_rare_elements,
        "times": hide_in_times,
    }
)


def _unknown_element(tag: int, text: str) -> DataElement:
    """An element with VR UN although the dictionary knows it; pydicom corrects it only where it is made as UN."""
    element = DataElement(tag, "OB", text.encode("ascii") + b" " * (len(text) % 2))
    element.VR = "UN"
    return element


def _implicit_item(name: str) -> bytes:
    """A sequence item with PatientName in implicit little endian (PS3.5 7.5)."""
    value = name.encode("ascii") + b" " * (len(name) % 2)
    element = struct.pack("<HHI", 0x0010, 0x0010, len(value)) + value
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(element)) + element

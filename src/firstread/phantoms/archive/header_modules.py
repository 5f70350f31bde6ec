"""Modules of DICOM headers that all objects of an archive share: patient, study, series, equipment (PS3.3 C.7)."""

from datetime import datetime, timedelta

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from firstread.phantoms.archive.studies import Instance, Series, Study, age_text
from firstread.phantoms.archive.template_dataset import TemplateDataset
from firstread.phantoms.archive.truth_keywords import DESCRIPTORS

#: modality -> manufacturer and model of its invented machine
MACHINES = {
    "CT": ("FIRSTREAD PHANTOMS", "Spiral 64"),
    "MR": ("FIRSTREAD PHANTOMS", "Field 1.5"),
    "CR": ("FIRSTREAD PHANTOMS", "Plate 14"),
    "DX": ("FIRSTREAD PHANTOMS", "Flat 17"),
    "US": ("FIRSTREAD PHANTOMS", "Sector 5"),
    "XA": ("FIRSTREAD PHANTOMS", "Arc 12"),
    "ECG": ("FIRSTREAD PHANTOMS", "Lead 12"),
}


def start_dataset(study: Study, series: Series, *, sop_class: str) -> TemplateDataset:
    """Patient, General Study, General Series, General Equipment and SOP Common modules of a new object.

    The same elements are in all instances of a series, so this is made once a series and copied by `add_instance`.
    """
    dataset = TemplateDataset()
    dataset.SpecificCharacterSet = list(study.identity.region.character_set)
    dataset.SOPClassUID = sop_class
    _add_patient(dataset, study)
    _add_study(dataset, study)
    dataset.Modality = series.modality
    dataset.SeriesInstanceUID = series.uid
    dataset.SeriesNumber = series.number
    dataset.SeriesDescription = series.description
    dataset.SeriesDate, dataset.SeriesTime = split_time(study.when + timedelta(seconds=40 * series.number))
    dataset.OperatorsName = study.identity.operator
    add_equipment(dataset, study, series.modality)
    return dataset


def add_instance(series: Series, template: TemplateDataset, study: Study, *, number: int) -> Instance:
    """A copy of a series' template with its own UID, number and time; elements that are not replaced are shared."""
    dataset = template.branch()
    dataset.SOPInstanceUID = study.make_uid("instance", series.number, number)
    dataset.InstanceNumber = number
    when = study.when + timedelta(seconds=40 * series.number, milliseconds=180 * number)
    dataset.ContentDate, dataset.ContentTime = split_time(when)
    dataset.InstanceCreationDate, dataset.InstanceCreationTime = split_time(when + timedelta(seconds=2))
    instance = Instance(dataset)
    series.instances.append(instance)
    return instance


def add_equipment(dataset: Dataset, study: Study, modality: str) -> None:
    """General Equipment module (PS3.3 C.7.5.1)."""
    manufacturer, model = MACHINES.get(modality, ("FIRSTREAD PHANTOMS", "Workstation"))
    dataset.Manufacturer = manufacturer
    dataset.ManufacturerModelName = model
    dataset.InstitutionName = study.identity.hospital
    dataset.InstitutionAddress = study.identity.address
    dataset.InstitutionalDepartmentName = f"Radiology, {study.identity.ward}"
    dataset.StationName = study.identity.station
    dataset.DeviceSerialNumber = study.identity.serial_number
    dataset.SoftwareVersions = "phantoms 1"


def add_protocol(instance: Instance, keyword: str, text: str, *, kept: tuple[str, ...], note: str) -> None:
    """Set a descriptor that holds identity values; the words `kept` must stay in it."""
    setattr(instance.dataset, keyword, text)
    instance.kept[keyword] = kept
    element = instance.dataset[keyword]
    instance.cases[f"({element.tag.group:04x},{element.tag.element:04x})"] = f"{note}; {DESCRIPTORS}"


def make_item(**values: object) -> Dataset:
    """One item of a sequence: keyword -> value."""
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def make_code(value: str, scheme: str, meaning: str) -> Dataset:
    """One item of a code sequence (PS3.3 8.8)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def make_reference(sop_class: str, sop_instance: str) -> Dataset:
    """One item that refers to an instance (PS3.3 10.8)."""
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, sop_instance
    return item


def split_time(when: datetime) -> tuple[str, str]:
    """DA and TM of a moment."""
    return when.strftime("%Y%m%d"), when.strftime("%H%M%S.") + f"{when.microsecond // 1000:03d}"


def join_time(when: datetime, offset: str) -> str:
    """DT of a moment with its offset from UTC."""
    return when.strftime("%Y%m%d%H%M%S.") + f"{when.microsecond // 1000:03d}{offset}"


def _add_patient(dataset: Dataset, study: Study) -> None:
    who = study.identity
    dataset.PatientName = who.person_name
    dataset.PatientID = who.patient_id
    dataset.IssuerOfPatientID = who.issuer
    dataset.PatientBirthDate = who.birth_date.strftime("%Y%m%d")
    dataset.PatientSex = who.sex
    dataset.OtherPatientNames = f"{who.latin_family.upper()}^{who.latin_given.upper()}"
    dataset.PatientAge = age_text(who.birth_date, study.when.date())
    dataset.PatientAddress = who.address
    dataset.PatientTelephoneNumbers = who.phone
    other = Dataset()
    other.PatientID, other.TypeOfPatientID = who.other_id, "TEXT"
    dataset.OtherPatientIDsSequence = Sequence([other])


def _add_study(dataset: Dataset, study: Study) -> None:
    who = study.identity
    dataset.StudyInstanceUID = study.uid
    dataset.StudyDate, dataset.StudyTime = split_time(study.when)
    dataset.StudyID = study.study_id
    dataset.AccessionNumber = study.accession
    dataset.StudyDescription = study.description
    dataset.ReferringPhysicianName = who.physician
    dataset.NameOfPhysiciansReadingStudy = who.radiologist
    dataset.TimezoneOffsetFromUTC = who.region.utc_offset

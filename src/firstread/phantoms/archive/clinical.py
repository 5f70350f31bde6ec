"""Clinical table and reports in words of a phantom archive, true to the phantoms: lesions, phases, response."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import pyarrow as pa

from firstread.core.files import write_text
from firstread.phantoms.abdomen import AbdomenPatient
from firstread.phantoms.archive.studies import ArchivePatient, Study, age_text
from firstread.phantoms.lesion_table import LesionRow, list_lesions

CLINICAL_SCHEMA = pa.schema(
    {
        "patient": pa.string(),
        "patient_id": pa.string(),
        "birth_date": pa.date32(),
        "sex": pa.string(),
        "age_years": pa.int32(),
        "liver_volume_ml": pa.float64(),
        "lesions": pa.int32(),
        "metastases": pa.int32(),
        "sum_of_diameters_mm": pa.float64(),
        "follow_up_days": pa.int32(),
        "follow_up_sum_of_diameters_mm": pa.float64(),
        "response": pa.string(),
    }
)


def clinical_row(patient: ArchivePatient) -> dict[str, object]:
    """What a clinical table holds of a patient."""
    first, later = ct_studies(patient)
    rows, who = measure_lesions(patient.anatomy), patient.home
    targets = [row.lesion for row in target_lesions(rows)]
    return {
        "patient": patient.key,
        "patient_id": who.patient_id,
        "birth_date": who.birth_date,
        "sex": who.sex,
        "age_years": int(age_text(who.birth_date, first.when.date())[:3]),
        "liver_volume_ml": round(patient.anatomy.liver_volume_ml, 1),
        "lesions": len(rows),
        "metastases": sum(row.kind == "metastasis" for row in rows),
        "sum_of_diameters_mm": sum_of_diameters(patient.anatomy, targets),
        "follow_up_days": (later.when.date() - first.when.date()).days if later else None,
        "follow_up_sum_of_diameters_mm": patient.later_anatomy and sum_of_diameters(patient.later_anatomy, targets),
        "response": patient.response or None,
    }


def write_reports(patient: ArchivePatient, folder: Path) -> None:
    """Write one report in words a CT study, as `folder/A0007-ct.txt`."""
    first, later = ct_studies(patient)
    write_text(folder / f"{patient.key}-{first.key}.txt", report_text(patient, first))
    if later:
        write_text(folder / f"{patient.key}-{later.key}.txt", report_text(patient, later))


def report_text(patient: ArchivePatient, study: Study) -> str:
    """Report of a CT of the abdomen in words, with the letterhead that a hospital prints."""
    who = study.identity
    follow_up = study.key == "follow-up"
    anatomy = patient.later_anatomy if follow_up and patient.later_anatomy else patient.anatomy
    rows = measure_lesions(anatomy)
    head = [
        f"{who.hospital}, Radiology",
        f"Patient: {who.latin_family}, {who.latin_given}, born {who.birth_date:%d.%m.%Y}, ID {who.patient_id}",
        f"CT of the abdomen, {study.when:%d.%m.%Y}, accession {study.accession}",
        f"Referred by Dr {who.physician.replace('^', ', ')}",
        "",
    ]
    technique = "portal venous" if follow_up else "unenhanced, arterial and portal venous"
    findings = [
        f"Technique: {technique} phase, Iohexol 350, 100 ml.",
        f"Liver: volume {anatomy.liver_volume_ml:.0f} ml. {_describe(rows)}",
        "Spleen, pancreas, kidneys and adrenal glands without a finding.",
    ]
    return "\n".join([*head, *findings, _impression(patient, rows, follow_up), f"Signed: {who.radiologist}"]) + "\n"


def ct_studies(patient: ArchivePatient) -> tuple[Study, Study | None]:
    """First CT of a patient, and the follow-up if there is one."""
    by_key = {study.key: study for study in patient.studies}
    return by_key["ct"], by_key.get("follow-up")


@lru_cache(maxsize=8)
def measure_lesions(anatomy: AbdomenPatient) -> tuple[LesionRow, ...]:
    """Lesions of a phantom, measured once."""
    return tuple(list_lesions(anatomy))


def sum_of_diameters(anatomy: AbdomenPatient, targets: Sequence[int]) -> float:
    """Sum of the longest diameters of the target lesions in millimetres (RECIST 1.1)."""
    return round(sum(row.diameter_mm for row in measure_lesions(anatomy) if row.lesion in targets), 1)


def target_lesions(rows: Sequence[LesionRow]) -> list[LesionRow]:
    """Largest two metastases of 10 mm and more (RECIST 1.1)."""
    measurable = [row for row in rows if row.kind == "metastasis" and row.diameter_mm >= 10]
    return sorted(measurable, key=lambda row: -row.diameter_mm)[:2]


def _describe(rows: Sequence[LesionRow]) -> str:
    if not rows:
        return "No focal lesion."
    return " ".join(
        f"{row.kind.capitalize()} in segment {row.segment}, {row.diameter_mm:.0f} mm (lesion {row.lesion})."
        for row in rows
    )


def _impression(patient: ArchivePatient, rows: Sequence[LesionRow], follow_up: bool) -> str:
    count = sum(row.kind == "metastasis" for row in rows)
    found = f"{count} liver metastas{'is' if count == 1 else 'es'}" if count else "No liver metastasis"
    return f"Impression: {found}{f'; {patient.response}' if follow_up and patient.response else ''}."

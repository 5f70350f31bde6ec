"""Rows of the truth of one patient, collected while the files are written."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

import pyarrow as pa

from firstread.phantoms.archive.identities import IdentityValue
from firstread.phantoms.archive.patient_folder import WrittenFile
from firstread.phantoms.archive.studies import ArchivePatient, Study
from firstread.phantoms.archive.truth import Action
from firstread.phantoms.archive.truth_schemas import (
    ACTION_SCHEMA,
    FAULT_SCHEMA,
    FILE_SCHEMA,
    IDENTITY_SCHEMA,
    STACK_SCHEMA,
)

_ACTION_FIELDS = tuple(Action.__dataclass_fields__)


@dataclass
class TruthRows:
    """Columns of the tables of the truth."""

    patient: ArchivePatient
    actions: dict[str, list[object]] = field(default_factory=lambda: {name: [] for name in ACTION_SCHEMA.names})
    files: list[dict[str, object]] = field(default_factory=list)
    faults: list[dict[str, object]] = field(default_factory=list)

    @classmethod
    def of(cls, patient: ArchivePatient, written: Iterable[WrittenFile]) -> "TruthRows":
        """Collect the rows of a patient whose files are written meanwhile."""
        rows = cls(patient)
        paths: dict[str, str] = {}
        for file in written:
            rows._add(file)
            paths.setdefault(str(file.instance.dataset.SOPInstanceUID), file.path)
        for study in patient.studies:
            for fault in study.faults:
                row = {"patient": patient.key, **fault._asdict()}
                rows.faults.append({**row, "file": paths.get(fault.file, fault.file)})
        return rows

    def tables(self) -> dict[str, pa.Table]:
        """The tables, by their names."""
        return {
            "actions": pa.table(self.actions, schema=ACTION_SCHEMA),
            "files": pa.Table.from_pylist(self.files, FILE_SCHEMA),
            "faults": pa.Table.from_pylist(self.faults, FAULT_SCHEMA),
            "identities": pa.Table.from_pylist(self._identities(), IDENTITY_SCHEMA),
            "studies": pa.Table.from_pylist(list(self._stacks()), STACK_SCHEMA),
        }

    def _add(self, file: WrittenFile) -> None:
        uid, actions = str(file.instance.dataset.SOPInstanceUID), file.actions
        self.actions["patient"] += [self.patient.key] * len(actions)
        self.actions["file"] += [file.path] * len(actions)
        self.actions["sop_instance_uid"] += [uid] * len(actions)
        for name in _ACTION_FIELDS:
            self.actions[name] += [getattr(action, name) for action in actions]
        self.files.append(
            {
                "patient": self.patient.key,
                "file": file.path,
                "sop_instance_uid": uid,
                "sop_class_uid": str(file.instance.dataset.SOPClassUID),
                "transfer_syntax": str(file.instance.transfer_syntax),
                "modality": file.series.modality,
                "needs_person": file.instance.needs_person,
                "violations": file.instance.violations,
            }
        )

    def _identities(self) -> list[dict[str, object]]:
        found: dict[IdentityValue, None] = {}
        for study in self.patient.studies:
            charset = study.identity.character_set
            for value in study.identity_values():
                found[value] = None
            for patient_id in _stated_ids(study):
                found[IdentityValue("id", patient_id, charset)] = None
            found[IdentityValue("accession", study.accession, charset)] = None
            found[IdentityValue("study_id", study.study_id, charset)] = None
        return [{"patient": self.patient.key, **value._asdict()} for value in found]

    def _stacks(self) -> Iterable[dict[str, object]]:
        first = min(study.when.date() for study in self.patient.studies)
        for study in self.patient.studies:
            for series in study.series:
                for number, stack in enumerate(series.stacks):
                    yield {
                        **asdict(stack),
                        **_place(self.patient, study),
                        "series": series.uid,
                        "modality": series.modality,
                        "stack": number,
                        "instances": len(stack.sop_instance_uids),
                        "day": (study.when.date() - first).days,
                    }


def _stated_ids(study: Study) -> list[str]:
    """PatientID as the files of a study state it, in all spellings."""
    stated = [str(i.dataset.get("PatientID", "")).strip() for series in study.series for i in series.instances]
    return [patient_id for patient_id in dict.fromkeys(stated) if patient_id]


def _place(patient: ArchivePatient, study: Study) -> dict[str, object]:
    return {"patient": patient.key, "study": study.uid}

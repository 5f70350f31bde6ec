"""Where a fault is planted in a phantom patient's studies, and how it is noted."""

from firstread.phantoms.archive.studies import ArchivePatient, Instance, Series, Study
from firstread.phantoms.archive.template_dataset import TemplateDataset
from firstread.phantoms.archive.truth import Fault


def find_study(patient: ArchivePatient, key: str) -> Study:
    """A study by its key."""
    return next(study for study in patient.studies if study.key == key)


def find_phase(patient: ArchivePatient, phase: str) -> tuple[Study, Series]:
    """First CT of a patient, and its original series that holds a phase."""
    study = find_study(patient, "ct")
    for series in study.series:
        if any(stack.phase == phase and stack.kind == "original" for stack in series.stacks):
            return study, series
    raise LookupError(phase)


def note_fault(study: Study, kind: str, series: Series | None, note: str, instance: Instance | None = None) -> None:
    """Note a fault in the study that it concerns."""
    file = str(instance.dataset.SOPInstanceUID) if instance else ""
    study.faults.append(Fault(kind, file, series.uid if series else "", study.uid, note))


def list_datasets(study: Study) -> list[TemplateDataset]:
    """Data sets of all instances of a study."""
    return [instance.dataset for series in study.series for instance in series.instances]

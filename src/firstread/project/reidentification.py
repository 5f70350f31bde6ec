"""Who is behind a pseudonym: from the vault, with passphrase and reason, for the terminal only."""

from dataclasses import dataclass, field

from firstread.core.errors import DataError
from firstread.core.patient_identity import normalize_patient
from firstread.project.project_folder import ProjectFolder
from firstread.project.reasons import check_reason


@dataclass(frozen=True)
class KnownPerson:
    """Who is behind a pseudonym. The values are not shown when the object is printed."""

    pseudonym: str
    values: dict[str, str] = field(repr=False)


def reidentify(project: ProjectFolder, passphrase: str, pseudonym: str, *, reason: str) -> KnownPerson:
    """Look up who is behind a pseudonym. The audit log says it before anything is shown.

    Raises:
        SettingError: the passphrase is wrong, or the reason is empty or names somebody.
        DataError: the vault does not know the pseudonym, or the audit log is broken.
    """
    secret = project.open_key(passphrase)
    text = check_reason(project, reason)
    values = project.records(secret).find(pseudonym)
    if values is None:
        raise DataError(
            "The vault knows nobody of this pseudonym",
            where=project.vault.folder,
            do="check it; outputs that were made anonymous lead back to nobody",
        )
    project.log("reidentify", f"{pseudonym}: {text}")
    return KnownPerson(pseudonym, values)


def find_pseudonyms(project: ProjectFolder, passphrase: str, patient_id: str, *, reason: str) -> list[str]:
    """Pseudonyms of a patient's identifier, as somebody who withdraws states it.

    Raises:
        SettingError: the passphrase is wrong, or the reason is empty or names somebody.
    """
    secret = project.open_key(passphrase)
    text = check_reason(project, reason)
    wanted = normalize_patient(patient_id)
    found = {
        name
        for name, values in project.records(secret).records()
        if wanted in {normalize_patient(one) for one in values.get("PatientID", "").split("; ") if one}
    }
    project.log("reidentify", f"pseudonyms of an identifier were looked up: {text}", {"found": len(found)})
    return sorted(found)

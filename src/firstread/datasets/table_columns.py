"""Columns of a table of images, recognized by their names, in any spelling of case, blanks and separators."""

import re
from collections.abc import Sequence

#: column of a cohort -> names that are used for it; the first that occurs is taken
COLUMN_SYNONYMS = {
    "file": (
        *("file", "filename", "path", "filepath", "image", "imagepath", "imagefile", "imagename", "imageid", "img"),
        *("imgpath", "imgname", "imgid", "imageindex", "dicom", "dicompath", "dicomfile", "relativepath", "fullpath"),
        *("filepaths", "files", "picture", "scan", "nifti", "volume", "id", "name"),
    ),
    "label": (
        *("label", "labels", "class", "classname", "classlabel", "target", "category", "diagnosis", "dx", "finding"),
        *("findinglabel", "findinglabels", "groundtruth", "truth", "disease"),
    ),
    "split": ("split", "set", "partition", "subset", "dataset", "fold", "usage"),
    "frame": ("frame", "framenumber", "frameindex", "slice", "slicenumber", "sliceindex"),
}
#: what a case has in common with others -> names of columns that state it; all that occur are evidence
ID_SYNONYMS = {
    "patient": (
        *("patnr", "patid", "pat", "ptid", "pt", "pid", "sub", "usubjid", "rid", "eid", "mrn", "medicalrecordnumber"),
        *("hospitalid", "hospitalnumber", "nhsnumber", "pseudonym", "pseudoid", "empi", "empianon", "anonid"),
        *("anonymizedid", "anonymisedid", "deidentifiedid", "deidid"),
    ),
    "study": (
        *("study", "studyid", "studyuid", "studyinstanceuid", "exam", "examid", "examination", "examinationid"),
        *("accession", "accessionid", "accessionnumber", "accanon", "visit", "visitid", "session", "sessionid"),
        *("case", "caseid", "record", "recordid", "lesionid"),
    ),
    "series": ("series", "seriesid", "seriesuid", "seriesinstanceuid", "scanid", "volumeid", "stackid", "stack"),
}
#: further names of a patient's identifier, with a word before or after: "Anonymized Patient ID", "subject_no", ...
_PATIENT_COLUMN = re.compile(
    r"(?:deid\w*|anon\w*|pseudo\w*|hash(?:ed)?|global|unique|dicom)?"
    r"(?:patient(?:en|s)?|paciente|subject|subj|participant|person|individual|volunteer|proband(?:en)?|donor|animal|mouse)"
    r"(?:id|ids|nr|no|num|number|nummer|name|code|key|uid|uuid|hash|identifier|index|idx|label)?(?:anon\w*|deid\w*|pseudo\w*|hash\w*)?"
)
#: names of columns that say little: taken only where the values are names of files, or of splits
WEAK_COLUMNS = {
    "file": ("id", "name", "scan", "volume", "picture", "files"),
    "split": ("set", "dataset", "fold", "usage", "subset"),
}
#: columns that name a person and say nothing else; they are not taken along
IDENTITY_COLUMNS = (
    *("firstname", "lastname", "surname", "givenname", "familyname", "middlename", "fullname", "dob", "birthdate"),
    *("dateofbirth", "patientbirthdate", "birthday", "address", "street", "phone", "telephone", "email", "ssn"),
)
_SEPARATORS = re.compile(r"[\s_\-.:/()]+")


def normalize_column(name: str) -> str:
    """Name of a column without case, blanks and separators."""
    return _SEPARATORS.sub("", str(name).casefold())


def candidate_columns(names: Sequence[str], column: str) -> list[str]:
    """The columns of a table that may be the column `column` of a cohort, the likeliest first.

    Example:
        >>> candidate_columns(["Image Index", "Finding Labels", "id"], "file")
        ['Image Index', 'id']
    """
    by_form = {normalize_column(name): name for name in reversed(names)}
    return [by_form[synonym] for synonym in COLUMN_SYNONYMS[column] if synonym in by_form]


def is_weak(name: str, column: str) -> bool:
    """Whether a column's name alone does not say that it is the column `column` of a cohort."""
    return normalize_column(name) in WEAK_COLUMNS.get(column, ())


def guess_id_columns(names: Sequence[str]) -> dict[str, list[str]]:
    """Columns of a table that state the "patient", the "study" or the "series".

    Example:
        >>> guess_id_columns(["file", "PTID", "Accession Number", "label"])
        {'patient': ['PTID'], 'study': ['Accession Number']}
    """
    found = {
        kind: [name for name in names if normalize_column(name) in synonyms] for kind, synonyms in ID_SYNONYMS.items()
    }
    found["patient"] = [
        name for name in names if name in found["patient"] or _PATIENT_COLUMN.fullmatch(normalize_column(name))
    ]
    return {kind: columns for kind, columns in found.items() if columns}

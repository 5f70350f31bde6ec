"""Evidence in paths of which images are of one patient, where no header and no table says it.

```
chest/patient012/0.png      the folder below the class
train/P3/study1/a.png       the first folder that is no split and no class
chest/person7_2.png         what the file names begin with
```

It is weak evidence, so it only joins: two images of one folder may be of one patient, and images of two folders may be
too. Everything that rests on it says so (`firstread.core.patient_sources`).
"""

import re
from collections import Counter
from collections.abc import Sequence

from firstread.core.class_names import normalize_class
from firstread.core.columns import parse_split_name
from firstread.core.patient_identity import normalize_patient

#: names of folders that hold all images of something, and say nothing of whose they are; normalized as patients are
_CONTAINERS = frozenset(
    ("data", "dataset", "dcm", "dicom", "dicomfiles", "files", "frames", "images", "image", "img", "imgs", "jpeg"),
) | frozenset(("jpg", "jpgs", "nifti", "nii", "pictures", "png", "pngs", "raw", "scans", "slices", "tif", "tiff"))
_PATIENT_WORDS = (
    "patient|pat|pt|subject|subj|sub|person|participant|volunteer|case|anon|anonymous|anonymized|anonymised|mrn|pid|"
    "pseudonym|id|study|exam|scan|series|acc|accession|record"
)
#: "patient012", "sub-01", "Case_7a", at the beginning of a name
_NAMED_PATIENT = re.compile(
    rf"^(?:{_PATIENT_WORDS})[\s_\-.]*[a-z]{{0,3}}\d+[a-z]?(?![a-z0-9])|^[ps]\d+(?![a-z0-9])|^[ps]\d+(?=[a-z]{{1,3}}\d)"
)
_CLASS_WORDS = frozenset(
    ("birads", "cadrads", "category", "class", "cluster", "gleason", "grade", "group", "isup", "kl", "label", "level"),
) | frozenset(("lirads", "pirads", "rads", "score", "stage", "tirads", "type"))
#: 550e8400-e29b-..., 1.2.840.113..., 4f9a3c02d1: letters and digits that a computer made
_MACHINE_MADE = re.compile(r"^(?=.*\d)(?:[0-9a-f]{8,}[0-9a-f\-]*|[\d.]{9,})$")
_PREFIX_AND_NUMBER = re.compile(r"^(.*?)[\s_\-.^]*(\d+)[a-z]?$")
#: what may follow the number of a patient in a file name: view, side, sequence, mask
_VIEW = re.compile(
    r"[\s_\-.]+(?:left|right|[lr]|cc|mlo|ap|pa|lat|lateral|frontal|front|ax|axial|cor|coronal|sag|sagittal|pre|post|"
    r"flair|t1|t2|t1c|t1ce|t1w|t2w|dwi|adc|ct|mr|mri|xray|mask|seg|image|img|bacteria|virus|lesion|normal)$"
)
_INDEX = re.compile(r"[\s_\-.(]+(?:[a-z]{1,8}[\s_\-.]*)?\d+\)?$")
#: share of the names that must follow a pattern
_ENOUGH = 0.8
#: fewer patients than these are not told apart within the names of folders
_MIN_JOINED_FOLDERS = 5


def are_patient_folders(names: Sequence[str]) -> bool:
    """Whether folders, by their names, are one for each patient and not one for each class.

    Identifiers that a computer made, words like "patient" with a number, or one prefix with numbers of two digits and
    more are patients; "grade 1", "T2" and single digits are classes.

    Example:
        >>> are_patient_folders(["ANON0001", "ANON0002"]), are_patient_folders(["chest", "abdomen"])
        (True, False)
        >>> are_patient_folders(["grade 0", "grade 1"]), are_patient_folders(["0", "1", "2", "3", "4"])
        (False, False)
    """
    lower = [name.strip().casefold() for name in names]
    named = sum(bool(_NAMED_PATIENT.match(name) or _MACHINE_MADE.match(name) or "^" in name) for name in lower)
    if lower and named >= _ENOUGH * len(lower):
        return True
    if len(lower) < 2:
        return False
    matches = [match for name in lower if (match := _PREFIX_AND_NUMBER.match(name))]
    prefixes = {normalize_patient(match[1]) if match[1] else "" for match in matches}
    if len(matches) < len(lower) or len(prefixes) > 1 or prefixes & _CLASS_WORDS:
        return False
    return len(lower) > 10 or min(len(match[2]) for match in matches) > 1


def is_container(name: str) -> bool:
    """Whether a folder, by its name, only holds images: "images", "png", "DICOM"."""
    return normalize_patient(name) in _CONTAINERS


def folder_keys(folders: Sequence[tuple[str, ...]], labels: Sequence[str | None]) -> list[str | None]:
    """For each image, the folder that stands for its patient: one form for all its spellings; None where there is none.

    Folders of one name under two classes or splits are one: "lesion/P1" and "none/P1" hold slices of one person.

    Args:
        folders: (N,) names of the folders that an image lies in, from the root of the data set down.
        labels: (N,) class of each image, or None.
    """
    depth = max(map(len, folders), default=0)
    levels = [[parts[level] if level < len(parts) else None for parts in folders] for level in range(depth)]
    levels = [level for level in levels if not _is_split_or_class(level, labels)]
    useful = [level for level in levels if len({_identifier(name) for name in level} - {None}) > 1]
    best = next((level for level in useful if _are_named_patients(level)), None)
    best = best or next((level for level in useful if _have_digits(level)), useful[0] if useful else None)
    if best is None:
        return [None] * len(folders)
    joined = _joined_by_beginning(best)
    return [joined.get(name) or _identifier(name) for name in best]


def _joined_by_beginning(names: Sequence[str | None]) -> dict[str | None, str | None]:
    """Folders of one patient, such as BraTS-00012-000 and BraTS-00012-001, by what their names begin with."""
    unique = [name for name in dict.fromkeys(names) if name is not None and _identifier(name)]
    keys = name_keys(unique, [None] * len(unique))
    return dict(zip(unique, keys, strict=True)) if len(set(keys)) >= _MIN_JOINED_FOLDERS else {}


def name_keys(stems: Sequence[str], labels: Sequence[str | None]) -> list[str | None]:
    """For each image, what its file name begins with, where that tells patients apart; None where it does not.

    Args:
        stems: (N,) file names without extension.
        labels: (N,) class of each image, or None.

    Example:
        >>> name_keys(["p0_0", "p0_1", "p1_0", "p2_0", "p2_1"], ["a", "a", "a", "b", "b"])
        ['p0', 'p0', 'p1', 'p2', 'p2']
        >>> name_keys(["chest1", "chest2", "abdomen1"], ["chest", "chest", "abdomen"])
        [None, None, None]
    """
    keys = [_name_key(stem.casefold()) for stem in stems]
    known = [key for key in keys if key is not None]
    distinct = set(known)
    groups_images = len(distinct) < len(set(stems)) and len(distinct) * 1.2 <= len(known)
    if len(known) < _ENOUGH * len(stems) or len(distinct) < 2 or not groups_images:
        return [None] * len(stems)
    by_class: dict[str | None, set[str]] = {}
    for key, label in zip(keys, labels, strict=True):
        if key is not None:
            by_class.setdefault(label, set()).add(key)
    if len(by_class) > 1 and all(len(members) == 1 for members in by_class.values()):
        return [None] * len(stems)  # "ct1_001", "mr2_001": the name of a class
    return keys


def _name_key(stem: str) -> str | None:
    named = _NAMED_PATIENT.match(stem)
    if named and named.end() < len(stem):
        return normalize_patient(named[0])
    shortened = _VIEW.sub("", stem)
    while (shorter := _VIEW.sub("", shortened)) != shortened:
        shortened = shorter
    index = _INDEX.search(shortened)
    key = shortened[: index.start()] if index else shortened if shortened != stem else ""
    return normalize_patient(key) if any(map(str.isdigit, key)) else None


def _identifier(name: str | None) -> str | None:
    key = normalize_patient(name) if name else None
    return None if key in _CONTAINERS else key


def _is_split_or_class(level: Sequence[str | None], labels: Sequence[str | None]) -> bool:
    """Whether a level of folders repeats the split or the class of each image."""
    if all(name is None or parse_split_name(name) for name in level):
        return True
    pairs = [(name, label) for name, label in zip(level, labels, strict=True) if name and label]
    return bool(pairs) and all(normalize_class(name) == normalize_class(label) for name, label in pairs)


def _are_named_patients(level: Sequence[str | None]) -> bool:
    names = {name.strip().casefold() for name in level if name}
    return sum(bool(_NAMED_PATIENT.match(name)) for name in names) >= _ENOUGH * len(names)


def _have_digits(level: Sequence[str | None]) -> bool:
    names = Counter(any(map(str.isdigit, name)) for name in set(level) if name)
    return names[True] >= _ENOUGH * names.total()

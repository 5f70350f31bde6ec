"""How it is known which images are of one patient, and what a reader must be told of it.

Where no patient is stated, images of one study count as one patient, else those of one series, one folder (that is no
class and no split), one pattern in the file names, or one file. A lone picture has the source "none": it counts as
independent, which nobody knows. The same sentences stand where data are opened, in the data check and under every
number.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

#: from the surest to nothing
PATIENT_SOURCES = ("stated", "study", "series", "folder", "name", "file", "none")
#: what counts as one patient -> its name in a sentence, for one and for several
_UNITS = {
    "stated": ("patient", "patients"),
    "study": ("study", "studies"),
    "series": ("series", "series"),
    "folder": ("folder", "folders"),
    "name": ("group of file names", "groups of file names"),
    "file": ("file", "files"),
    "none": ("case", "cases"),
}


def count_patient_sources(sources: Iterable[str | None]) -> dict[str, int]:
    """Number of cases of each source, the surest first; a missing source counts as "none".

    Example:
        >>> count_patient_sources(["none", "stated", None])
        {'stated': 1, 'none': 2}
    """
    counts = Counter(source or "none" for source in sources)
    return {source: counts[source] for source in PATIENT_SOURCES if counts[source]}


def patient_unit(counts: Mapping[str, int], count: int = 2) -> str:
    """What is kept together: "patients", "studies", ...; "groups" where cases are known in several ways.

    Example:
        >>> patient_unit({"study": 12}), patient_unit({"stated": 3}, 1), patient_unit({"stated": 2, "folder": 2})
        ('studies', 'patient', 'groups')
    """
    known = [source for source in counts if source != "none"] or ["none"]
    one, several = _UNITS[known[0]] if len(known) == 1 else ("group", "groups")
    return one if count == 1 else several


def describe_patient_sources(counts: Mapping[str, int]) -> str:
    """What a reader must know of the patients, in a sentence or two; nothing where every patient is stated.

    Args:
        counts: of `count_patient_sources`.

    Example:
        >>> describe_patient_sources({"stated": 30})
        ''
        >>> print(describe_patient_sources({"study": 30}))
        No patient is stated: the images of one study count as one patient, so one with two studies counts as two.
    """
    unstated = {source: count for source, count in counts.items() if source not in ("stated", "none")}
    sentences = []
    if "stated" in counts and len(counts) > 1:
        sentences.append(f"The patient is stated for {counts['stated']} of {_cases(sum(counts.values()))}.")
    for source in unstated:
        start = "No patient is stated" if not sentences else f"For {_cases(counts[source])}"
        one, several = _UNITS[source]
        ending = f", so one with two {several} counts as two" if source in ("study", "series", "file") else ""
        where = "in one folder" if source == "folder" else f"of one {one}"
        sentences.append(f"{start}: the images {where} count as one patient{ending}.")
    if "none" in counts:
        start = "No patient is stated" if not sentences else f"For {_cases(counts['none'])} no patient is known"
        sentences.append(
            f"{start}: each case counts as a patient of its own, so images of one patient may lie on both sides of a "
            "split, and intervals may be too narrow."
        )
    return " ".join(sentences)


def _cases(count: int) -> str:
    return "1 case" if count == 1 else f"{count} cases"

"""`verify`: search outputs for every identity value of the originals, and say where, never what.

Each output is searched decoded (every element, nested ones too), as bytes in the character sets that DICOM is written
in, and by its name. Values are those of the same patient where the keys are given, else those of all patients.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Container, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firstread.core.errors import DataError
from firstread.core.files import read_json
from firstread.core.progress_bar import ProgressBar
from firstread.core.report import Report
from firstread.deidentification.folder_deidentifier import RECORD
from firstread.deidentification.identity import Identity, nested_identity_values
from firstread.deidentification.identity_index import readable_datasets
from firstread.deidentification.pseudonym_keys import PseudonymKeys
from firstread.deidentification.value_search import encoded_values, undisguise, value_patterns
from firstread.dicom.headers import convert_dicom_errors, open_dicom_object

if TYPE_CHECKING:
    from pydicom import DataElement, Dataset

_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")
_TEXT = frozenset({"LO", "SH", "ST", "LT", "UT", "UC", "CS", "PN", "AE", "UR", "AS", "DA", "DT"})
_NUMBERS = frozenset({"IS", "DS"})
_MIN_NUMBER = 5
_MAX_TEXT_BYTES = 64 * 1024**2
_MAX_RECORD_BYTES = 64 * 1024**2


@dataclass(frozen=True)
class Finding:
    """An identity value in an output: in which file and element, and of which kind; the value itself is not kept.

    Args:
        file: path below the output folder.
        element: path of tags such as "(0040,0275)(0040,0007)", or "bytes", or "name of the file".
        kind: "name", "id", "birth_date", "accession", "phone", "institution", "device", "text" or "uid".
    """

    file: str
    element: str
    kind: str


@dataclass(frozen=True)
class Verification:
    """Result of a search: how much was searched, and what was found."""

    files: int
    values: int
    findings: tuple[Finding, ...] = field(repr=False)

    @property
    def passed(self) -> bool:
        """Whether files were searched, there was something to search for, and nothing was found."""
        return self.files > 0 and self.values > 0 and not self.findings

    def report(self) -> Report:
        """Page with what was searched and found; no value stands in it."""
        import pandas as pd

        found = "nothing was found" if not self.findings else f"{len(self.findings)} values were found"
        report = Report("Verification", f"{self.files} files searched for {self.values} identity values: {found}")
        if self.findings:
            rows = [(finding.file, finding.element, finding.kind) for finding in self.findings]
            report.add_table(pd.DataFrame(rows, columns=["file", "element", "kind"]), caption="Where values were found")
            kinds = Counter(finding.kind for finding in self.findings)
            report.add_table(pd.DataFrame(kinds.most_common(), columns=["kind", "values"]), caption="By kind")
        return report


def verify(
    originals: str | Path, outputs: str | Path, *, keys: PseudonymKeys | None = None, quiet: bool = False
) -> Verification:
    """Search all files of a folder for every identity value of the originals.

    Args:
        originals: the folder or file that was de-identified.
        outputs: the folder of outputs; every file in it is searched, not only DICOM.
        keys: with the keys of the run each file is searched for the values of its own patient, which finds the same
            and is quicker; without them for those of all patients.

    Raises:
        DataError: there is no such folder.

    Example:
        >>> import tempfile
        >>> from pydicom.data import get_testdata_file
        >>> from firstread.deidentification.folder_deidentifier import deidentify
        >>> keys = PseudonymKeys.from_secret(bytes(32))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     result = deidentify(get_testdata_file("CT_small.dcm"), folder, keys=keys)
        ...     verify(get_testdata_file("CT_small.dcm"), folder, keys=keys).passed
        True
    """
    originals, outputs = Path(originals), Path(outputs)
    for path in (originals, outputs):
        if not path.exists():
            raise DataError("There is no such file or folder", where=path, do="check the path")
    options = _options(outputs)
    patients, uids = _gather(originals, options, keys)
    uids = frozenset() if "retain_uids" in options else uids
    everyone = frozenset().union(*patients.values()) if patients else frozenset()
    files = sorted(_files(outputs))
    findings: list[Finding] = []
    with ProgressBar("verifying", len(files), unit="file", quiet=quiet) as bar:
        for path in files:
            relative = path.relative_to(outputs) if outputs.is_dir() else Path(path.name)
            values = patients.get(relative.parts[0], everyone) if keys else everyone
            findings += search_file(path, relative, values, uids)
            bar.update()
    return Verification(len(files), len(everyone) + len(uids), tuple(dict.fromkeys(findings)))


def _options(outputs: Path) -> frozenset[str]:
    record = outputs / RECORD
    stated = read_json(record, max_bytes=_MAX_RECORD_BYTES) if record.is_file() else {}
    return frozenset(stated.get("options", ()) if isinstance(stated, dict) else ())


def _gather(
    originals: Path, options: frozenset[str], keys: PseudonymKeys | None
) -> tuple[dict[str, frozenset[tuple[str, str]]], frozenset[str]]:
    """Identity values by pseudonym ("" without keys), and the UIDs of all instances."""
    patients: dict[str, set[tuple[str, str]]] = defaultdict(set)
    uids: set[str] = set()
    for _, dataset in readable_datasets(sorted(_files(originals))):
        with suppress(DataError), convert_dicom_errors(originals):
            identity = Identity.of(dataset)
            patients[keys.patient(identity.key) if keys else ""].update(nested_identity_values(dataset))
            uids.update(str(dataset.get(keyword)) for keyword in _UIDS if dataset.get(keyword))
    kept = {name: Identity("", values=frozenset(found)).searched_values(options) for name, found in patients.items()}
    return kept, frozenset(uid for uid in uids if not uid.startswith("1.2.840.10008."))


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for place, _, names in os.walk(path):
        yield from (Path(place, name) for name in names)


def search_file(
    path: Path, relative: Path, values: frozenset[tuple[str, str]], uids: Container[str]
) -> Iterator[Finding]:
    """Search one output: its name, its elements decoded, its bytes.

    Args:
        path: of the output.
        relative: below the output folder.
        values: (kind, text) of the identity values.
        uids: of the originals.

    Yields:
        Where a value was found, and of which kind.
    """
    kinds = _Kinds(values, uids)
    yield from (Finding(str(relative), "name of the file", kind) for kind in kinds.in_text(relative.as_posix()))
    try:
        dataset = open_dicom_object(path)
    except DataError:
        text = path.read_bytes()[:_MAX_TEXT_BYTES].decode("utf-8", "replace")
        yield from (Finding(str(relative), "text", kind) for kind in kinds.in_text(text))
        return
    with convert_dicom_errors(path):
        found = [(place, kind) for element, place in _elements(dataset) for kind in kinds.in_element(element)]
    yield from (Finding(str(relative), place, kind) for place, kind in found)
    yield from (Finding(str(relative), "bytes", kind) for kind in kinds.in_bytes(path))


@dataclass(frozen=True)
class _Kinds:
    """Kinds of the values that a text, an element or a file holds."""

    values: frozenset[tuple[str, str]]
    uids: Container[str]

    def in_text(self, text: str) -> set[str]:
        return {kind for kind, pattern in value_patterns(self.values) if pattern.search(undisguise(text))}

    def in_element(self, element: "DataElement") -> set[str]:
        texts = _texts(element.value)
        if element.VR == "UI":
            return {"uid"} if any(text in self.uids for text in texts) else set()
        if element.VR in _NUMBERS:  # a coordinate is no birth date; a whole number may be an identifier
            return {kind for kind, value in self.values if len(value) >= _MIN_NUMBER and value in texts}
        return self.in_text("\n".join(texts)) if element.VR in _TEXT else set()

    def in_bytes(self, path: Path) -> set[str]:
        data = path.read_bytes()
        if not any(_stands_alone(form, data) for form in encoded_values(self.values)):
            return set()
        return {
            kind
            for kind, value in self.values
            if any(_stands_alone(form, data) for form in encoded_values(frozenset({(kind, value)})))
        }


def _stands_alone(form: bytes, data: bytes) -> bool:
    """Whether bytes are in a file as a word: "4711" in a longer number, such as a new UID, is not the identifier."""
    start = data.find(form)
    while start >= 0:
        before, after = data[start - 1 : start], data[start + len(form) : start + len(form) + 1]
        if not (_is_word(before) and _is_word(form[:1])) and not (_is_word(after) and _is_word(form[-1:])):
            return True
        start = data.find(form, start + 1)
    return False


def _is_word(byte: bytes) -> bool:
    return byte.isalnum() or byte == b"."


def _elements(dataset: "Dataset", place: str = "") -> Iterator[tuple["DataElement", str]]:
    """All elements, nested ones and those of the file meta information too, with the path of tags to each."""
    meta = getattr(dataset, "file_meta", None)
    for element in [*(meta or ()), *dataset]:
        here = f"{place}({element.tag.group:04X},{element.tag.element:04X})"
        if element.VR == "SQ":
            for item in element.value:
                yield from _elements(item, here)
        else:
            yield element, here


def decoded_texts(dataset: "Dataset") -> Iterator[tuple[str, str]]:
    """Path of tags and text of every value of a dataset that can hold words."""
    for element, place in _elements(dataset):
        if element.VR in _TEXT | _NUMBERS or element.VR == "UI":
            yield from ((place, text) for text in _texts(element.value))


def _texts(value: Any) -> list[str]:
    if value is None or isinstance(value, bytes):
        return []
    values = value if isinstance(value, (list, tuple)) or hasattr(value, "append") else [value]
    return [str(item) for item in values]

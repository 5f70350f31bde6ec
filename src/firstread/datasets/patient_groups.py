"""Which images belong together: by patient, study, series, folder, file name or file, as one component.

Evidence is joined as in a graph: an image without a patient in a study whose other images state one belongs to that
patient. The component of each image and what it rests on are columns of the cohort.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from firstread.datasets.patient_evidence import folder_keys, name_keys
from firstread.dicom.pseudonyms import make_pseudonym

#: what may be stated of a row, and what is worked out from it
STATED = ("patient", "component", "identifiers", "study", "series", "patient_source")


def assign_components(rows: Sequence[dict[str, Any]], *, base: Path, warn: bool = True) -> None:
    """Set `component` and `patient_source` of each row, in place.

    Args:
        rows: `file`, `frame`, `label`, and what is stated: `patient`, `component` (its spellings joined),
            `identifiers` (further ones of the patient, taken out of the row), `study`, `series`.
        base: folder that the names of folders count from.
        warn: whether a study that is no evidence is named in a warning.
    """
    evidence = _path_evidence(rows, base)
    shared = {kind: _shared_by_many(rows, kind) for kind in ("study", "series")}
    if warn and any(shared.values()):
        warnings.warn(
            "One StudyInstanceUID or SeriesInstanceUID is stated for most of the patients, as after an export that "
            "replaced them all by one; it was not taken for evidence of whose the images are.",
            UserWarning,
            stacklevel=5,
        )
    links = _Links()
    sources: list[str] = []
    for index, row in enumerate(rows):
        found = list(_row_evidence(row, evidence[index], shared))
        sources.append(found[0][0] if found else "none")
        for item in found:
            links.join(("row", str(index)), item)
    names: dict[tuple[str, str], str] = {}
    for index, row in enumerate(rows):  # a patient that is stated names the component
        if sources[index] == "stated":
            names.setdefault(links.root(("row", str(index))), str(row.get("component") or row["patient"]))
    for index, row in enumerate(rows):
        row.pop("identifiers", None)
        row |= {"patient_source": sources[index], "component": None}
        if sources[index] != "none":
            root = links.root(("row", str(index)))
            row["component"] = names.setdefault(root, make_pseudonym(":".join(root), prefix="U"))


class _Links:
    """Connected components of rows and evidence, by union-find."""

    def __init__(self) -> None:
        self._parents: dict[tuple[str, str], tuple[str, str]] = {}

    def root(self, node: tuple[str, str]) -> tuple[str, str]:
        parents = self._parents
        while (parent := parents.get(node, node)) != node:
            parents[node] = parents.get(parent, parent)
            node = parent
        return node

    def join(self, first: tuple[str, str], second: tuple[str, str]) -> None:
        one, other = self.root(first), self.root(second)
        if one != other:  # a row never names a group, so that the name does not depend on the order of the rows
            lower, upper = sorted((one, other), key=lambda node: (node[0] == "row", node))
            self._parents[upper] = lower


def _row_evidence(
    row: Mapping[str, Any], path_evidence: tuple[str, str] | None, shared: Mapping[str, set[str]]
) -> Iterator[tuple[str, str]]:
    """What a row may have in common with others, the surest first."""
    stated = row.get("component") or row.get("patient")
    if stated:
        yield "stated", str(stated)
    for identifier in row.get("identifiers") or ():
        yield "stated", str(identifier)
    for kind in ("study", "series"):
        if row.get(kind) and row[kind] not in shared[kind]:
            yield kind, str(row[kind])
    if path_evidence:
        yield path_evidence
    if row.get("frame") is not None:
        yield "file", str(row["file"])


def _path_evidence(rows: Sequence[Mapping[str, Any]], base: Path) -> list[tuple[str, str] | None]:
    """Folder or beginning of the file name of each row, where rows are left for which nothing else is known.

    A folder or a beginning that several stated patients share tells no patients apart, and is left out.
    """
    if all(any(row.get(key) for key in ("patient", "study", "series")) for row in rows):
        return [None] * len(rows)
    paths = [Path(row["file"]) for row in rows]
    labels = [row.get("label") for row in rows]
    folders = folder_keys([_folders(path, base) for path in paths], labels)
    unplaced = [index for index, key in enumerate(folders) if key is None]
    names = name_keys([_stem(paths[index]) for index in unplaced], [labels[index] for index in unplaced])
    found = [("folder", key) if key else None for key in folders]
    for index, name in zip(unplaced, names, strict=True):
        found[index] = ("name", name) if name else None
    stated: dict[tuple[str, str], set[str]] = {}
    for row, key in zip(rows, found, strict=True):
        if key and row.get("patient"):
            stated.setdefault(key, set()).add(str(row.get("component") or row["patient"]))
    return [None if key is None or len(stated.get(key, ())) > 1 else key for key in found]


def _folders(path: Path, base: Path) -> tuple[str, ...]:
    return path.relative_to(base).parts[:-1] if path.is_relative_to(base) else path.parts[1:-1]


def _stem(path: Path) -> str:
    name = path.name.casefold()
    return name.removesuffix(".gz").rpartition(".")[0] or name


def _shared_by_many(rows: Sequence[Mapping[str, Any]], kind: str) -> set[str]:
    """Studies (or series) that state more than two patients, and more than half of all: a constant, no evidence."""
    patients: dict[str, set[str]] = {}
    for row in rows:
        stated = row.get("component") or row.get("patient")
        if row.get(kind) and stated:
            patients.setdefault(str(row[kind]), set()).add(str(stated))
    everybody = set().union(*patients.values())
    return {uid for uid, members in patients.items() if len(members) > max(2, len(everybody) / 2)}

"""What can be wrong with a set of images, one function a fault; each returns findings in whole sentences."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from firstread.core.cohort import Cohort
from firstread.core.images import STRAY_FILES, read_image
from firstread.curation import duplicates
from firstread.curation.artefacts import MARKS, drawn_marks, emptiness
from firstread.curation.baselines import Looks
from firstread.curation.shortcut_strength import Separation, pairwise_border_pixels, random_against_contiguous

#: a rule that is right more often than this, and than the most frequent class by a tenth, is called a shortcut
SHORTCUT_ACCURACY = 0.9
#: how many cases a sentence names at most
NAMED = 8


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes:
        severity: "problem" (results will be wrong), "warning" (results may mislead) or "note".
        kind: such as "duplicates", "leak", "shortcut", "series", "noise", "marks", "stray files".
        text: what, how many, why it matters, what to do.
        cases: which.
    """

    severity: str
    kind: str
    text: str
    cases: tuple[str, ...] = ()


def find_imbalance(cohort: Cohort) -> list[Finding]:
    """Rare classes, missing labels, unknown patients."""
    counts = np.bincount(cohort.targets[cohort.targets >= 0], minlength=len(cohort.classes))
    out = []
    unlabelled = int((cohort.targets < 0).sum())
    if unlabelled:
        out.append(Finding("note", "labels", f"{unlabelled} images have no label."))
    if counts.min() * 5 < counts.max():
        rare = cohort.classes[int(counts.argmin())]
        out.append(
            Finding(
                "warning",
                "balance",
                f"{rare} has {counts.min()} images, the largest class {counts.max()}. Accuracy alone will mislead.",
            )
        )
    if cohort.table["patient"].isna().all():
        out.append(
            Finding(
                "note",
                "patients",
                "Patients are not known, so nothing keeps images of one patient on one side of a split.",
            )
        )
    return out


def find_stray_files(cohort: Cohort) -> list[Finding]:
    """Files of operating systems among the images."""
    counted = sum(int(step.parameters.get("stray_files", 0) or 0) for step in cohort.steps)
    folders = {Path(file).parent for file in cohort.table["file"]}
    lying = [path for folder in sorted(folders) for path in _listed(folder) if _is_stray(path.name)]
    count = max(counted, len(lying))
    if not count:
        return []
    text = f"{count} files of operating systems (such as .DS_Store) lie among the images. They were left out; a script that counts files would count them."
    return [Finding("note", "stray files", text)]


def _listed(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _is_stray(name: str) -> bool:
    return name.lower() in STRAY_FILES or name.startswith("._")


def find_equals(cohort: Cohort, groups: list[list[int]], pictures: dict[str, list[int]]) -> list[Finding]:
    """The same pixels twice, on two sides of a split, under two labels."""
    if not groups:
        return []
    pictures["identical images"] = [index for group in groups for index in group]
    names = cohort.table["case"]
    listed = "; ".join(" = ".join(names[i] for i in group) for group in groups[:NAMED])
    text = f"{len(groups)} {'group' if len(groups) == 1 else 'groups'} of identical images: {listed}. A case that counts twice makes intervals too narrow; keep one of each."
    return [
        Finding("warning", "duplicates", text, tuple(names[i] for group in groups for i in group)),
        *_across(cohort, [(g[0], j) for g in groups for j in g[1:]], "identical"),
        *_two_labels(cohort, groups),
    ]


def find_near_duplicates(
    cohort: Cohort, thumbnails: np.ndarray, groups: list[list[int]], pictures: dict[str, list[int]]
) -> list[Finding]:
    """Images that hardly differ."""
    pairs = duplicates.close_pairs(thumbnails, within=duplicates.NEARLY_SAME)
    equal = {index: number for number, group in enumerate(groups) for index in group}
    pairs = np.array([(i, j) for i, j in pairs if i not in equal or equal[i] != equal.get(j)], int).reshape(-1, 2)
    if not len(pairs):
        return []
    pictures["nearly the same"] = [int(i) for pair in pairs[:4] for i in pair]
    involved = len(np.unique(pairs))
    text = f"{involved} images have another that is nearly the same (thumbnails differ by less than {duplicates.NEARLY_SAME:g} gray levels): neighbouring slices or repeats."
    names = cohort.table["case"]
    return [
        Finding("warning", "near duplicates", text, tuple(names[i] for i in np.unique(pairs))),
        *_across(cohort, pairs.tolist(), "nearly the same"),
    ]


def _across(cohort: Cohort, pairs: list[Any], word: str) -> list[Finding]:
    split, names = cohort.table["split"], cohort.table["case"]
    apart = [(i, j) for i, j in pairs if split[i] is not None and split[j] is not None and split[i] != split[j]]
    if not apart:
        return []
    some = "; ".join(f"{names[i]} ({split[i]}) and {names[j]} ({split[j]})" for i, j in apart[:3])
    text = f'{len(apart)} pairs of images that are {word} lie on two sides of a split, such as {some}. The network has already seen the answer: split by patient, or split="contiguous".'
    return [Finding("problem", "leak", text, tuple(dict.fromkeys(names[i] for pair in apart for i in pair)))]


def _two_labels(cohort: Cohort, groups: list[list[int]]) -> list[Finding]:
    label, names = cohort.table["label"], cohort.table["case"]
    wrong = [g for g in groups if len({label[i] for i in g}) > 1]
    if not wrong:
        return []
    cases = tuple(names[i] for g in wrong for i in g)
    return [
        Finding(
            "problem", "labels", f"{len(wrong)} identical images carry different labels: {', '.join(cases[:6])}.", cases
        )
    ]


def find_series(cohort: Cohort, thumbnails: np.ndarray) -> list[Finding]:
    """Classes that are mostly slices of one scan."""
    out, targets, names = [], cohort.targets, cohort.table["case"]
    patients = cohort.table["patient"]
    for index, label in enumerate(cohort.classes):
        members = np.flatnonzero(targets == index)
        if len(members) < 10:
            continue
        chain = duplicates.series_of(thumbnails[members])
        largest = members[chain == np.bincount(chain).argmax()]
        if patients[largest].notna().all() and patients[largest].nunique() == 1:
            continue
        if len(largest) >= max(10, 0.2 * len(members)):
            text = f"{len(largest)} of {len(members)} images of {label} look like slices of one scan: each has a neighbour that hardly differs. They are not {len(largest)} independent cases; keep them on one side of a split."
            out.append(Finding("warning", "series", text, tuple(names[i] for i in largest)))
    return out


def find_blemishes(cohort: Cohort, pictures: dict[str, list[int]]) -> list[Finding]:
    """Images that show nothing, and images with marks drawn on them."""
    empty: dict[str, list[int]] = {"empty": [], "noise": []}
    marked: dict[str, list[int]] = {mark: [] for mark in MARKS}
    rows = zip(cohort.table["file"], cohort.table["frame"], strict=True)
    for index, (file, frame) in enumerate(rows):
        image = read_image(file, frame=None if frame is None else int(frame), window=cohort.window)
        state = emptiness(image)
        if state:
            empty[state].append(index)
        for mark in drawn_marks(image):
            marked[mark].append(index)
    out, names = [], cohort.table["case"]
    for state, cases in empty.items():
        if cases:
            pictures[f"{state} images"] = cases
            word = "show nothing" if state == "empty" else "show noise only"
            text = f"{len(cases)} images {word} ({_by_class(cohort, cases)}), such as {', '.join(names[i] for i in cases[:4])}. No label is right for them; leave them out."
            out.append(Finding("warning", state, text, tuple(names[i] for i in cases)))
    for mark, cases in marked.items():
        if cases:
            pictures[MARKS[mark]] = cases
            out.append(_marks(cohort, mark, cases))
    return out


def _marks(cohort: Cohort, mark: str, cases: list[int]) -> Finding:
    names, labels = cohort.table["case"], {cohort.table["label"][i] for i in cases}
    certainty = "" if mark == "colour" else " (a guess from sharp, uniform patches; look at them)"
    where = (
        f" They occur only on {labels.pop()}: a network can learn the mark instead of the anatomy."
        if len(labels) == 1 and len(cohort.classes) > 1
        else f" By class: {_by_class(cohort, cases)}."
    )
    return Finding(
        "warning",
        "marks",
        f"{len(cases)} images seem to carry {MARKS[mark]}{certainty}.{where}",
        tuple(names[i] for i in cases),
    )


def find_sizes(cohort: Cohort, looks: list[Looks]) -> list[Finding]:
    """Sizes and colour."""
    sizes = {(one.width, one.height) for one in looks}
    modes = {"colour" if one.coloured > 0 else "gray" for one in looks}
    text = (
        f"Image sizes: {len(sizes)} different, from {min(sizes)[0]} x {min(sizes)[1]} to {max(sizes)[0]} x {max(sizes)[1]} pixels."
        if len(sizes) > 1
        else f"All images have {next(iter(sizes))[0]} x {next(iter(sizes))[1]} pixels."
    )
    return [Finding("note", "sizes", f"{text} {'Some are in colour.' if 'colour' in modes else 'All are gray.'}")]


def find_shortcuts(cohort: Cohort, rules: list[Separation]) -> list[Finding]:
    """Rules that tell the classes apart without a network."""
    out = []
    for rule in rules:
        if rule.accuracy < SHORTCUT_ACCURACY or rule.accuracy < rule.most_frequent + 0.1:
            continue
        held = "; ".join(f"{right} of {cases} in {split}" for split, (right, cases) in rule.held_out.items())
        text = f'"{rule.name.removeprefix("rule: ")}" alone tells the classes apart in {rule.right} of {rule.cases} ({rule.accuracy:.1%}{", " + rule.how}){"; fitted on training, " + held if held else ""}.'
        if rule.words:
            text += f" {rule.words}"
        if rule.about_anatomy:
            text += " This much needs no network: quote it beside any accuracy."
            out.append(Finding("warning", "shortcut", text))
        else:
            text += (
                " This is not anatomy: remove it (bring all images to one size and format) or the network may use it."
            )
            out.append(Finding("problem", "shortcut", text))
    return out


def find_border_pixels(cohort: Cohort) -> list[Finding]:
    """Pairs of classes that one border pixel tells apart."""
    found = [pair for pair in pairwise_border_pixels(cohort) if pair.accuracy >= 0.97]
    if not found:
        return []
    found.sort(key=lambda pair: -pair.accuracy)
    listed = "; ".join(f"{p.first} from {p.second} in {p.accuracy:.1%}" for p in found)
    return [
        Finding(
            "warning",
            "shortcut",
            f"One pixel at the border of the image separates {listed}. What lies there is the scanner, not the patient.",
        )
    ]


def find_order(cohort: Cohort, thumbnails: np.ndarray) -> list[Finding]:
    """How much easier cases become when neighbours in file order are dealt to both sides."""
    if cohort.table["patient"].notna().any():
        return []
    found = random_against_contiguous(cohort, thumbnails)
    if found is None:
        return []
    random, contiguous = found
    text = f'"Say what the most similar training image was" is right in {random:.1%} when cases are dealt at random, and in {contiguous:.1%} when they are split by runs of file numbers.'
    if random - contiguous > 0.05:
        return [
            Finding(
                "problem",
                "leak",
                f'{text} Neighbours in file order belong together: use split="contiguous", and believe that figure.',
            )
        ]
    return [Finding("note", "leak", text)]


def _by_class(cohort: Cohort, cases: list[int]) -> str:
    labels = [cohort.table["label"][i] or "no label" for i in cases]
    return ", ".join(f"{labels.count(name)} {name}" for name in dict.fromkeys(labels))

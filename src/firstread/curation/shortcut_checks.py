"""Checks for shortcuts: rules, border pixels and file order that predict the class without anatomy."""

import numpy as np

from firstread.core.cohort import Cohort
from firstread.curation.checks import Finding
from firstread.curation.shortcut_strength import (
    ShortcutStrength,
    compare_random_and_contiguous_splits,
    measure_border_pixels,
)

#: a rule of at least this accuracy, a tenth above the most frequent class, is called a shortcut
SHORTCUT_ACCURACY = 0.9
_BORDER_PIXEL_ACCURACY = 0.97


def find_shortcuts(strengths: list[ShortcutStrength]) -> list[Finding]:
    """Trivial rules that predict the class without a network."""
    findings = []
    for strength in strengths:
        strong = strength.accuracy >= SHORTCUT_ACCURACY or strength.description  # a single size is right in nine of ten
        if not strong or strength.accuracy < strength.majority_share + 0.1:
            continue
        text = _describe(strength)
        if strength.uses_pixels:
            text += " This much needs no network: quote it beside any accuracy."
            findings.append(Finding("warning", "shortcut", text))
        else:
            text += (
                " This is not anatomy: remove it (bring all images to one size and format) or the network may use it."
            )
            findings.append(Finding("problem", "shortcut", text))
    return findings


def _describe(strength: ShortcutStrength) -> str:
    held_out = "; ".join(f"{correct} of {total} in {split}" for split, (correct, total) in strength.held_out.items())
    text = (
        f'"{strength.name.removeprefix("rule: ")}" alone tells the classes apart in {strength.correct} of '
        f"{strength.total} ({strength.accuracy:.1%}, {strength.method})"
    )
    text += f"; fitted on training, {held_out}." if held_out else "."
    return f"{text} {strength.description}" if strength.description else text


def find_border_pixels(cohort: Cohort, pictures: np.ndarray) -> list[Finding]:
    """Pairs of classes that a single border pixel separates; `pictures` (N, n, n) uint8 are those of the cohort."""
    strong = [pixel for pixel in measure_border_pixels(cohort, pictures) if pixel.accuracy >= _BORDER_PIXEL_ACCURACY]
    if not strong:
        return []
    strong.sort(key=lambda pixel: -pixel.accuracy)
    listed = "; ".join(f"{pixel.first} from {pixel.second} in {pixel.accuracy:.1%}" for pixel in strong)
    text = f"One pixel at the border of the image separates {listed}. What lies there is the scanner, not the patient."
    return [Finding("warning", "shortcut", text)]


def find_file_order_leak(cohort: Cohort, thumbnails: np.ndarray) -> list[Finding]:
    """Accuracy gained when neighbours in file order are on both sides of a random split."""
    if any(cohort.components):
        return []
    accuracies = compare_random_and_contiguous_splits(cohort, thumbnails)
    if accuracies is None:
        return []
    random, contiguous = accuracies
    text = (
        f'"Say what the most similar training image was" is right in {random:.1%} when cases are dealt at random, and '
        f"in {contiguous:.1%} when they are split by runs of file numbers."
    )
    if random - contiguous <= 0.05:
        return [Finding("note", "leak", text)]
    text += ' Neighbours in file order belong together: use split="contiguous", and believe that figure.'
    return [Finding("problem", "leak", text)]

"""Copies of one picture among the images of a cohort, and neighbouring slices of one scan.

Two images count as one picture when they agree and nothing else in the cohort agrees nearly as well: a pair, or a group
of several copies, has to stand apart. How well two patients can agree depends on what was imaged (heads on small
pictures agree well), so no fixed threshold serves every cohort.
"""

from dataclasses import dataclass, field

import numpy as np

from firstread.curation.copy_search import (
    FINE,
    MEDIUM,
    NEARLY_THE_SAME,
    SAME_SERIES_RMS,
    SMALL,
    Comparisons,
    Pictures,
    best_of_each_image,
)
from firstread.curation.groups import DisjointSets
from firstread.curation.local_contrast import blur
from firstread.curation.registration import orient_each, warp

#: RMS difference of (32, 32) pictures, in gray levels of 255, below which two images are nearly the same
NEAR_DUPLICATE_RMS = 2.0
#: side of the compared pictures -> how far their agreement stands above the next, and how large it is at least: of
#: pictures that lie as they are, of moved ones, and for each further change; in units of Fisher's z, measured on
#: simulated and on real patients, see `docs/explanation/shortcuts-and-splits.md`
_LIMITS = {192: (0.25, 1.15, 1.25, 0.55), FINE: (0.3, 1.3, 1.45, 0.65), SMALL: (0.35, 1.42, 1.45, 1.0)}
#: what is added to the margin for each change beyond one that would have been made to a picture
_CHANGE_MARGIN = 0.25
#: agreement at least to be expected of two pictures that were not compared
_BACKGROUND = 0.9
#: correlation as they lie, at 64 pixels, from which compression and noise alone explain what differs in detail
_SAME_BUT_FOR_NOISE = 0.985
#: correlation of slices that follow each other, and their RMS difference
_NEXT_SLICE, _NEXT_SLICE_RMS = 0.95, 10.0
#: pairs that are reported of an image that has many like it
_MAX_ALIKE_EACH = 2
#: an affine map beyond these is no re-export of the same picture: enlargement, stretch, shear, share that overlaps
_MAX_SCALE, _MAX_STRETCH, _MAX_SHEAR = 0.25, 0.12, 0.08
#: more images than this are not copies of one picture but a kind of picture
_MAX_GROUP = 50
#: RMS difference in gray levels from which a window may have changed; slices of one scan differ by more than the second
#: after the window is fitted, and more smoothly than noise or compression do
_WINDOW_RMS, _SLICE_RMS, _SLICE_SMOOTHNESS = 3.0, 1.5, 0.25
_GRAY_BINS = 16
_LEAST_SHARP = 0.9
_ORIENTATION_NAMES = (
    "",
    "turned by 90 degrees",
    "turned by 180 degrees",
    "turned by 90 degrees",
    "mirrored left to right",
    "mirrored and turned by 90 degrees",
    "mirrored top to bottom",
    "mirrored and turned by 90 degrees",
)


@dataclass(frozen=True)
class Copy:
    """Two images that show one picture.

    Attributes:
        first, second: indices of the images.
        changes: what was done to one of them, such as "mirrored left to right"; empty for slices of one scan.
        is_slice: they are rather neighbouring slices of one scan than one slice twice.
    """

    first: int
    second: int
    changes: tuple[str, ...]
    is_slice: bool = False


def find_copies(pictures: Pictures, compared: Comparisons) -> list[Copy]:
    """Pairs of images that show one picture, and why they differ; by index."""
    near = compared.is_near(SAME_SERIES_RMS) & (compared.identity >= NEARLY_THE_SAME)
    alike = near | compared.is_near(NEAR_DUPLICATE_RMS) | (compared.identity >= _SAME_BUT_FOR_NOISE)
    alike_rows = best_of_each_image(compared, np.flatnonzero(alike), count=_MAX_ALIKE_EACH)
    rows = np.union1d(alike_rows, np.flatnonzero(_stand_apart(pictures, compared)))
    scans = _group_scans(pictures, compared)
    copies = _describe(pictures, compared.take(rows), scans)
    return sorted(copies, key=lambda copy: (min(copy.first, copy.second), max(copy.first, copy.second)))


def group_series(pictures: Pictures, compared: Comparisons) -> np.ndarray:
    """(N,) number of the scan of each image, from chains of similar neighbours: slices of one scan are linked."""
    return _link(len(pictures.small), compared, compared.is_near(SAME_SERIES_RMS))


def _link(count: int, compared: Comparisons, linked: np.ndarray) -> np.ndarray:
    """(count,) number of the chain of each image, from the pairs that are linked."""
    sets = DisjointSets(count)
    for row in np.flatnonzero(linked):
        sets.join(int(compared.first[row]), int(compared.second[row]))
    return sets.labels()


def _group_scans(pictures: Pictures, compared: Comparisons) -> np.ndarray:
    """(N,) number of the scan, of slices that are further apart too: they lie as they are, in one window.

    Two images alone are not called a scan, because they may be one image twice.
    """
    lies_still = (compared.orientation == 0) & (compared.sign > 0) & (np.abs(compared.maps).max(axis=1) < 0.02)
    is_next = lies_still & (compared.identity >= _NEXT_SLICE) & (compared.rms < _NEXT_SLICE_RMS)
    labels = _link(len(pictures.small), compared, is_next | compared.is_near(SAME_SERIES_RMS))
    is_pair = np.bincount(labels)[labels] == 2
    return np.where(is_pair, labels.max(initial=0) + 1 + np.arange(len(labels)), labels)


@dataclass
class _Group:
    """Images that are linked: how many, their links, what the next link must stay below, and the strongest refused."""

    size: int = 1
    links: list[int] = field(default_factory=list)
    reach: float = np.inf
    refused: float = _BACKGROUND

    def join(self, other: "_Group", *, agreement: float, margin: float) -> "_Group":
        """This group and another one, by a link."""
        larger, smaller = (self, other) if len(self.links) >= len(other.links) else (other, self)
        larger.links.extend(smaller.links)
        larger.size += smaller.size
        larger.reach = min(larger.reach, smaller.reach, agreement - margin)
        larger.refused = max(larger.refused, smaller.refused)
        return larger


def _stand_apart(pictures: Pictures, compared: Comparisons) -> np.ndarray:
    """(M,) bool: pairs within a group whose every link is stronger, by a margin, than any link to other images.

    Links are followed from the strongest to the weakest (single linkage); a group is kept if it lasts long enough
    before it joins another. That an image also agrees with the slices beside its copy is no link to other images.
    """
    agreement = _agreement(pictures, compared)
    least, margin = _limits(compared)
    sets = DisjointSets(len(pictures.small))
    groups: dict[int, _Group] = {}
    accepted = np.zeros(len(compared), bool)

    def close(group: _Group, next_agreement: float) -> None:
        if group.links and group.size <= _MAX_GROUP and group.reach >= max(next_agreement, group.refused):
            accepted[group.links] = True
            group.links.clear()

    for row in _strongest_between_scans(_group_scans(pictures, compared), compared, agreement).tolist():
        first, second = sets.find(int(compared.first[row])), sets.find(int(compared.second[row]))
        value = float(agreement[row])
        one, other = groups.setdefault(first, _Group()), groups.setdefault(second, _Group())
        if one is other:
            one.links.append(row)
        elif value < least[row]:
            one.refused, other.refused = max(one.refused, value), max(other.refused, value)
        else:
            close(one, value)
            close(other, value)
            joined = one.join(other, agreement=value, margin=float(margin[row]))
            joined.links.append(row)
            groups[sets.join(first, second)] = joined
    for group in {id(group): group for group in groups.values()}.values():
        close(group, _BACKGROUND)
    return accepted & (agreement >= least) & _is_plausible(compared.maps) & _edges_agree(compared)


def _strongest_between_scans(series: np.ndarray, compared: Comparisons, agreement: np.ndarray) -> np.ndarray:
    """Rows to follow, strongest first: between each two scans (most often of one image) the strongest link only."""
    ends = np.sort(np.stack([series[compared.first], series[compared.second]], axis=1), axis=1)
    rows = np.argsort(-agreement, kind="stable")
    rows = rows[(agreement[rows] > _BACKGROUND) & (ends[rows, 0] != ends[rows, 1])]
    return rows[np.sort(np.unique(ends[rows], axis=0, return_index=True)[1])]


def _agreement(pictures: Pictures, compared: Comparisons) -> np.ndarray:
    """(M,) agreement of each pair in units of Fisher's z, comparable between pairs that were looked at differently."""
    is_fine = compared.side >= FINE
    could_be_fine = np.minimum(pictures.sides[compared.first], pictures.sides[compared.second]) >= FINE
    score = np.where(compared.side == SMALL, np.minimum(compared.score, 0.8), compared.score)
    score = np.where(could_be_fine & ~is_fine, np.minimum(score, 0.87), score)
    same = is_fine & (compared.identity >= _SAME_BUT_FOR_NOISE)
    score = np.where(same, np.maximum(score, compared.identity), score)
    agreement = np.arctanh(np.clip(score, -0.9999, 0.9999))
    # what agrees on a coarse picture and was not looked at in detail agrees less in detail
    return np.where(could_be_fine & ~is_fine, agreement - 0.35, agreement)


def _limits(compared: Comparisons) -> tuple[np.ndarray, np.ndarray]:
    """(M,) least agreement and (M,) margin, by the side at which pairs were compared and the changes between them."""
    values = np.zeros((len(compared), 4))
    for smallest in sorted(_LIMITS):
        values[compared.side >= smallest] = _LIMITS[smallest]
    margin, unmoved, moved, change = values.T
    further = _unlikely_changes(compared)
    return np.where(_is_moved(compared), moved, unmoved) + change * further, margin + _CHANGE_MARGIN * further


def _is_moved(compared: Comparisons) -> np.ndarray:
    """(M,) bool: cropped, turned by some degrees or shifted."""
    return np.abs(compared.maps).max(axis=1) >= 0.015


def _edges_agree(compared: Comparisons) -> np.ndarray:
    """(M,) bool: of images that are known at 64 pixels only and were moved, edges and texture must fit too."""
    return ~_is_moved(compared) | (compared.side != MEDIUM) | (compared.sharp >= _LEAST_SHARP)


def _unlikely_changes(compared: Comparisons) -> np.ndarray:
    """(M,) how many changes it takes to lay one image on the other, beyond a single one.

    A re-export is mirrored, or cropped, or turned, seldom all of that; two patients fit only when everything is tried.
    """
    across, _, right, _, down, lower = compared.maps.T
    scale, stretch, angle = np.abs(across + down) / 2, np.abs(across - down), np.abs(_angle(compared.maps))
    shift = np.maximum(np.abs(right), np.abs(lower))
    is_cropped = (scale >= 0.015) | (stretch >= 0.02)
    is_shifted = shift >= np.where(is_cropped, scale + 0.012, 0.02)  # by more than a crop from within can be
    changes = (compared.orientation > 0).astype(int) + (compared.sign < 0) + is_cropped + is_shifted + (angle >= 0.015)
    return np.maximum(changes - 1, 0) + (stretch >= 0.02)


def _angle(maps: np.ndarray) -> np.ndarray:
    """(M,) radians by which maps turn."""
    return (maps[:, 3] - maps[:, 1]) / 2


def _is_plausible(maps: np.ndarray) -> np.ndarray:
    """(M,) bool: maps that a crop, a shift or a small turn makes, and not those that lay one patient on another."""
    across, shear_x, _, shear_y, down, _ = maps.T
    scale, stretch, shear = (across + down) / 2, np.abs(across - down), np.abs(shear_x + shear_y)
    return (np.abs(scale) <= _MAX_SCALE) & (stretch <= _MAX_STRETCH) & (shear <= _MAX_SHEAR)


def _describe(pictures: Pictures, compared: Comparisons, scans: np.ndarray) -> list[Copy]:
    """What was done to one image of each pair, by where and how they fit."""
    copies: list[Copy] = []
    for start in range(0, len(compared), 512):
        part = compared.take(np.arange(start, min(start + 512, len(compared))))
        first = orient_each(pictures.medium[part.first], part.orientation).astype(np.float32)
        second = pictures.medium[part.second].astype(np.float32)
        second = np.where(part.sign[:, None, None] < 0, 255 - second, second)
        values, inside = warp(second, part.maps)
        gray = _gray_differences(first.reshape(len(part), -1), values, inside)
        for row in range(len(part)):
            changes, is_decisive = _changes_of_place(part, row)
            before, after, smoothness = (float(value[row]) for value in gray)
            if before > _WINDOW_RMS and before > 2.5 * after:
                changes.append("another window or brightness")
                is_decisive = True
            looks_moved = (
                after > _SLICE_RMS and smoothness > _SLICE_SMOOTHNESS and part.score[row] < _SAME_BUT_FOR_NOISE
            )
            is_slice = not is_decisive and (looks_moved or scans[part.first[row]] == scans[part.second[row]])
            copies.append(
                Copy(int(part.first[row]), int(part.second[row]), () if is_slice else tuple(changes), is_slice)
            )
    return copies


def _changes_of_place(part: Comparisons, row: int) -> tuple[list[str], bool]:
    """Changes that moved the picture, and whether they are more than the movement between two slices."""
    across, shear_x, right, shear_y, down, lower = (float(value) for value in part.maps[row])
    scale, angle, shift = abs(across + down) / 2, abs(shear_y - shear_x) / 2, max(abs(right), abs(lower)) / 2
    changes, is_decisive = [], False
    if part.orientation[row]:
        changes.append(_ORIENTATION_NAMES[int(part.orientation[row])])
    if part.sign[row] < 0:
        changes.append("gray values inverted")
    is_decisive = bool(changes)
    for size, noticed, decisive, text in (
        (scale, 0.015, 0.03, "cropped or enlarged"),
        (angle, 0.015, 0.03, "turned by a few degrees"),
        (shift, 0.01, 0.025, "shifted"),
    ):
        if size >= noticed:
            changes.append(text)
            is_decisive = is_decisive or size >= decisive
    return changes, is_decisive


def _gray_differences(
    first: np.ndarray, second: np.ndarray, inside: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """RMS difference in gray levels of two pictures that lie on each other, (P, M) each.

    Returns:
        (P,) before and (P,) after the gray values of one are mapped to those of the other, by whatever curve fits best
        (of the two ways, the one that fits better: a narrow window cannot be undone), and (P,) how smooth the rest is,
        from near 0 for noise to 1 for moved anatomy.
    """
    count, total = len(first), np.maximum(inside.sum(axis=1), 1)
    before = np.sqrt((((first - second) ** 2) * inside).sum(axis=1) / total)
    rests = [_rest_of_curve(first, second, inside), _rest_of_curve(second, first, inside)]
    sizes = [np.sqrt((rest**2).sum(axis=1) / total) for rest in rests]
    forward = sizes[0] <= sizes[1]
    rest, after = np.where(forward[:, None], *rests), np.where(forward, *sizes)
    side = int(np.sqrt(first.shape[1]))
    smooth = blur(rest.reshape(count, side, side).astype(np.float32), 1.5).reshape(count, -1)
    return before, after, (smooth**2).sum(axis=1) / np.maximum((rest**2).sum(axis=1), 1e-6)


def _rest_of_curve(values: np.ndarray, other: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """What remains of `values` (P, M) when the mean of those at like values of `other` is taken away."""
    count, levels = len(values), _GRAY_BINS + 1
    place = np.clip(other / 256 * _GRAY_BINS, 0, _GRAY_BINS - 1e-3)
    lower = place.astype(np.int64)
    share = place - lower  # between the curve's points, linear
    rows = np.arange(count)[:, None] * levels
    sums, weights = np.zeros((2, count * levels))
    for offset, part in ((0, 1 - share), (1, share)):
        at = (rows + lower + offset).ravel()
        sums += np.bincount(at, (values * inside * part).ravel(), count * levels)
        weights += np.bincount(at, (inside * part).ravel(), count * levels)
    curve = (sums / np.maximum(weights, 1e-6)).reshape(-1)
    fitted = curve[rows + lower] * (1 - share) + curve[rows + lower + 1] * share
    return (values - fitted) * inside

"""Part of the body of a stack: what tag and description say, and on axial CT what the pixels look like."""

from dataclasses import dataclass

from firstread.curation.contrast_phase import phase_of_enhancement
from firstread.curation.description_words import BODY_WORDS, find_words
from firstread.curation.organ_enhancement import Enhancement
from firstread.curation.series_files import SeriesFile

#: part -> parts that a scan of it may show, too
_SHOWS = {
    "head": ("head", "neck"),
    "neck": ("neck", "head", "chest", "spine"),
    "chest": ("chest", "abdomen", "neck", "breast", "spine"),
    "breast": ("breast", "chest"),
    "abdomen": ("abdomen", "pelvis", "spine", "chest"),
    "pelvis": ("pelvis", "abdomen", "extremity", "spine"),
    "spine": ("spine", "abdomen", "chest", "pelvis", "neck"),
    "extremity": ("extremity", "pelvis"),
}
#: parts that hardly any examination contains together with the other
_CHEST_SHARE, _TRUNK_AREA_MM2 = 0.3, 28_000.0
_HEAD_AREA_MM2, _HEAD_BONE = (9_000.0, 36_000.0), 0.08
_SURE = 0.85
#: how well organs must fit a phase, and share of gas in bowel and lung bases of an abdomen
_MIN_FIT, _GOOD_FIT, _MIN_GAS = 0.5, 0.85, 0.003


@dataclass(frozen=True)
class BodyPart:
    """Part of the body with its confidence, evidence in words, and what contradicts the header, if anything does."""

    name: str
    confidence: float
    evidence: str
    contradiction: str = ""
    contradiction_confidence: float = 0.0


def name_body_part(
    file: SeriesFile, features: dict[str, float | None] | None, enhancement: Enhancement | None
) -> BodyPart:
    """Part of the body of a stack; "unknown" where nothing says it.

    Args:
        file: one of the stack.
        features: of axial CT in HU, see `measure_features`; None where the pixels say nothing of it.
        enhancement: organs that were found.
    """
    tag = find_words(" ".join((file.texts.get("BodyPartExamined", ""), file.anatomic_region)), BODY_WORDS)
    words = find_words(
        " ".join(file.texts.get(keyword, "") for keyword in ("SeriesDescription", "ProtocolName")), BODY_WORDS
    )
    seen, seen_confidence, looks = look(features, enhancement)
    evidence = "; ".join(
        filter(
            None,
            (
                f"tag: {', '.join(tag)}" if tag else "",
                f"description: {', '.join(words.values())}" if words else "",
                f"pixels: {looks}" if looks else "",
            ),
        )
    )
    stated = tag or words
    if not stated:
        return BodyPart(seen or "unknown", round(0.8 * seen_confidence, 3), evidence)
    fits_seen = [part for part in stated if not seen or seen in _SHOWS[part]]
    if seen and seen_confidence >= _SURE and not fits_seen:
        source = "the tag" if tag else "the description"
        what = f"{source} says {', '.join(stated)}, looks like {seen} ({looks})"
        return BodyPart(seen, round(0.9 * seen_confidence, 3), evidence, what, seen_confidence)
    if tag and words and not any(part in _SHOWS[other] for part in words for other in tag):
        return BodyPart(seen or "unknown", round(0.8 * seen_confidence, 3), evidence)
    name = next((part for part in (*words, *tag) if part in tag or not tag), next(iter(stated)))
    return BodyPart(name, 0.95 if seen and seen in _SHOWS[name] else 0.85 if tag and words else 0.75, evidence)


def look(features: dict[str, float | None] | None, enhancement: Enhancement | None) -> tuple[str | None, float, str]:
    """What axial CT looks like: a part or None, a confidence, and the measured values in words."""
    if not features or features.get("feature_body_area_mm2") is None:
        return None, 0.0, ""
    area, air, bone = (
        float(features[f"feature_{name}"] or 0.0) for name in ("body_area_mm2", "air_share", "bone_share")
    )
    text = f"section {area / 100:.0f} cm2, lung and gas {air:.0%}, bone {bone:.0%}"
    has_liver = enhancement is not None and enhancement.liver_hu is not None
    # organs of a thigh or an arm have HU that no phase of an abdomen has
    fit = phase_of_enhancement(enhancement)[1]
    has_liver &= fit >= _GOOD_FIT or (fit >= _MIN_FIT and air >= _MIN_GAS)
    if area >= _TRUNK_AREA_MM2 and air >= _CHEST_SHARE and not has_liver:
        return "chest", 0.9, text
    if area >= _TRUNK_AREA_MM2 and has_liver:
        return "abdomen", 0.93, f"{text}, liver"
    is_head = _HEAD_AREA_MM2[0] <= area <= _HEAD_AREA_MM2[1] and bone >= _HEAD_BONE and air < 0.1
    if is_head and float(features["feature_soft_share"] or 0) >= 0.5 and (features["feature_fat_share"] or 0) < 0.15:
        return "head", 0.88, text
    return None, 0.0, text

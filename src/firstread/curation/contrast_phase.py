"""Contrast phase of a stack from three witnesses: description, contrast elements with their times, measured HU.

Each witness says a phase, or nothing. What two of them say is believed more than what one says; what the pixels
contradict is not believed: the phase is then "unknown", with a fault that says who contradicts whom.
"""

from dataclasses import dataclass, field

import numpy as np

from firstread.curation.description_words import PHASE_WORDS, find_words
from firstread.curation.organ_enhancement import Enhancement

#: phase -> mean and standard deviation in HU of aorta, liver and kidney in adults at 120 kV. Aorta and liver: wide
#: around the phases of three-phase CT of the liver; kidneys: cortex and medulla together
_TYPICAL_HU: dict[str, tuple[tuple[float, float], ...]] = {
    "unenhanced": ((42, 12), (52, 14), (34, 12)),
    "arterial": ((300, 75), (68, 16), (150, 45)),
    "venous": ((150, 28), (106, 17), (178, 32)),
    "delayed": ((106, 17), (86, 14), (150, 32)),
}
#: spread at which a measured organ is none of these phases: how far off an outlier may be, in HU
_OUTLIER_SD = 150.0
#: seconds since the injection -> phase, in between it is not said
_DELAYS_S = {"arterial": (15, 45), "venous": (58, 100), "delayed": (150, 900)}
_MAX_DELAY_S = 1_200
_DAY_S = 86_400
#: confidence of one witness alone: description, delay, and the most that measured values can reach
_OF_WORDS, _OF_DELAY, _MOST_OF_PIXELS = 0.72, 0.75, 0.93
#: from this confidence on, measured values contradict
_SURE = 0.8
#: no phase is said below this
_LEAST = 0.5


@dataclass(frozen=True)
class PhaseWitnesses:
    """What headers and pixels say about the contrast phase of a stack.

    Attributes:
        description: series description and protocol; "" where they speak of several stacks.
        has_agent: a contrast agent is stated.
        delay_s: seconds from the begin of the injection to the acquisition, or None.
        enhancement: measured HU, or None.
    """

    description: str = ""
    has_agent: bool = False
    delay_s: float | None = None
    enhancement: Enhancement | None = None


@dataclass(frozen=True)
class ContrastPhase:
    """Phase, confidence from 0 to 1, evidence in words, and who contradicts whom, if anybody does."""

    name: str
    confidence: float
    evidence: str
    contradiction: str = ""
    contradiction_confidence: float = field(default=0.0)


def name_phase(witnesses: PhaseWitnesses) -> ContrastPhase:
    """Weigh the witnesses; "unknown" where they contradict one another or say too little.

    Example:
        >>> name_phase(PhaseWitnesses("Abdomen ven 4.0")).name
        'venous'
        >>> native = Enhancement(aorta_hu=41, liver_hu=52, kidney_hu=33)
        >>> found = name_phase(PhaseWitnesses("Abdomen ven 4.0", has_agent=True, enhancement=native))
        >>> found.name, found.contradiction
        ('unknown', 'called venous, looks unenhanced (aorta 41 HU, liver 52 HU, kidney 33 HU)')
    """
    said, word = _said(witnesses.description)
    timed = phase_of_delay(witnesses.delay_s)
    seen, seen_confidence = phase_of_enhancement(witnesses.enhancement)
    measured = witnesses.enhancement.text() if witnesses.enhancement else ""
    evidence = "; ".join(
        filter(
            None,
            (
                f"description: {word}" if word else "",
                f"{witnesses.delay_s:.0f} s after the injection" if timed and witnesses.delay_s is not None else "",
                "contrast agent stated" if witnesses.has_agent else "",
                measured,
            ),
        )
    )
    has_contrast = said not in (None, "unenhanced") or bool(timed) or witnesses.has_agent
    if seen and seen_confidence >= _SURE:
        claimed = said or timed or ("enhanced" if witnesses.has_agent else None)
        if claimed and not _agree(claimed, seen, measured=seen_confidence):
            told = "called" if said else "timed as" if timed else "said to be"
            what = f"{told} {claimed}, looks {seen} ({measured})"
            # a scanner may name the agent of the examination in a series before the injection, too
            sure = seen_confidence if said or timed else 0.6
            return ContrastPhase("unknown", 0.0, evidence, what, sure)
    return ContrastPhase(*_weigh(said, timed, (seen, seen_confidence), has_contrast=has_contrast), evidence)


def phase_of_delay(delay_s: float | None) -> str | None:
    """Phase of a scan of the abdomen by the seconds since the injection began; None in between."""
    if delay_s is None:
        return None
    return next((phase for phase, (low, high) in _DELAYS_S.items() if low <= delay_s <= high), None)


def delay_after(bolus_s: float | None, acquired_s: float | None) -> float | None:
    """Seconds from the injection to the scan, over midnight too; None where it is not stated or cannot be true."""
    if bolus_s is None or acquired_s is None:
        return None
    delay = (acquired_s - bolus_s) % _DAY_S
    return delay if 0 < delay <= _MAX_DELAY_S else None


def phase_of_enhancement(enhancement: Enhancement | None) -> tuple[str | None, float]:
    """The phase whose typical HU are nearest to what was measured, and its probability; None with too few organs.

    The probability is that of a mixture of the phases and of "none of them", all equally likely beforehand.
    """
    if enhancement is None:
        return None, 0.0
    values = (enhancement.aorta_hu, enhancement.liver_hu, enhancement.kidney_hu)
    if sum(value is not None for value in values) < 2 or enhancement.aorta_hu is None:
        return None, 0.0
    logs = {
        phase: sum(_log_density(value, *expected) for value, expected in zip(values, typical, strict=True))
        for phase, typical in _TYPICAL_HU.items()
    }
    other = sum(_log_density(value, 100.0, _OUTLIER_SD) for value in values)
    best = max(logs, key=lambda phase: logs[phase])
    top = max(*logs.values(), other)
    total = sum(np.exp(value - top) for value in (*logs.values(), other))
    return best, float(min(_MOST_OF_PIXELS, np.exp(logs[best] - top) / total))


def _log_density(value: float | None, mean: float, sd: float) -> float:
    return 0.0 if value is None else float(-0.5 * ((value - mean) / sd) ** 2 - np.log(sd))


def _said(description: str) -> tuple[str | None, str]:
    """The one phase that a description names, with its word; None where it names none or several."""
    found = find_words(description, PHASE_WORDS)
    if "unenhanced" in found and len(found) == 1:
        return "unenhanced", found["unenhanced"]
    if set(found) == {"arterial", "delayed"} and found["delayed"] in ("late", "spat", "spaet"):
        return "arterial", found["arterial"]  # "late arterial"
    if len(found) == 1:
        return next(iter(found.items()))
    return None, ""


def _agree(claimed: str, seen: str, *, measured: float) -> bool:
    """Whether a claim and the pixels can both be true: venous and delayed run into one another."""
    if claimed == "enhanced":
        return seen != "unenhanced"
    return claimed == seen or {claimed, seen} == {"venous", "delayed"}


def _weigh(
    said: str | None, timed: str | None, seen: tuple[str | None, float], *, has_contrast: bool
) -> tuple[str, float]:
    """Phase and confidence: the likeliest, by witnesses that are wrong independently of one another."""
    votes: dict[str, float] = {}
    for phase, confidence in ((said, _OF_WORDS), (timed, _OF_DELAY), seen):
        if phase:
            votes[phase] = 1 - (1 - votes.get(phase, 0.0)) * (1 - confidence)
    if not votes:
        return "unknown", 0.0
    best = max(votes, key=lambda phase: votes[phase])
    against = max((value for phase, value in votes.items() if phase != best), default=0.0)
    confidence = votes[best] * (1 - 0.8 * against)
    if best == "unenhanced" and has_contrast and not seen[0]:
        confidence *= 0.5
    confidence = round(min(confidence, 0.98), 3)
    return (best, confidence) if confidence >= _LEAST else ("unknown", confidence)

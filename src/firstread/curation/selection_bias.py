"""Bias that the criteria of a study bring, in words; chosen by what somebody must have had to be in.

Source: Montagnon 2020, Insights Imaging 11:22, doi 10.1186/s13244-019-0832-5, and the words of STARD 2015,
doi 10.1136/bmj.h5527.
"""

from firstread.curation.eligibility import Eligibility

#: what a criterion needs -> the bias that it brings
BIAS = {
    "imaging": (
        "Available cases",
        "Only those who were imaged can be in, in the way that the criteria ask for. Whoever was too ill, too well or "
        "too far away for it is not, and neither is whoever had another protocol: results hold for patients like those "
        "who were imaged here.",
    ),
    "clinical": (
        "Verification and confirmation bias",
        "Clinical facts decide who is in. They were written down for some more often than for others, and by people "
        "who knew the images or the diagnosis: who was suspected was looked at more closely. Sensitivity comes out too "
        "high, and specificity too low, where only the suspicious were verified.",
    ),
    "pathology": (
        "Operated or biopsied patients only",
        "Only those who were operated on or biopsied can be in. Disease that was too widespread for an operation, or "
        "so plainly benign that nobody took a sample, is missing: the middle of the spectrum is seen, not its ends.",
    ),
}
_SPECTRUM = (
    "Spectrum",
    "Each exclusion narrows the range of disease and of patients. What a network can do with those who are left says "
    "little of those who left: the flow says how many, Table 1 how they differ.",
)
_A_POSTERIORI = (
    "Criteria drawn a posteriori",
    "The criteria were chosen after looking at what the archive has. They fit these patients by their making, and the "
    "same criteria elsewhere will leave other ones out. State it, and test on data that nobody looked at before.",
)
_MISSING = (
    "Missing answers",
    "Some criteria could not be answered for some patients. Values are seldom missing by chance: the flow counts them "
    "in rows of their own.",
)


def bias_of(eligibility: Eligibility, *, missing: bool = False) -> list[tuple[str, str]]:
    """The bias that the criteria bring: name and words of each.

    Args:
        eligibility: whose criteria are looked at.
        missing: whether a criterion could not be answered for somebody.

    Example:
        >>> from firstread.curation.eligibility import parse_eligibility
        >>> asked = parse_eligibility("[[exclude]]\\nname='Operated'\\nneeds='pathology'\\nwhere='clinical.operated'")
        >>> [name for name, _ in bias_of(asked)]
        ['Operated or biopsied patients only', 'Spectrum']
    """
    used = {criterion.needs for criterion in eligibility.criteria}
    found = [words for needs, words in BIAS.items() if needs in used]
    if any(criterion.side == "exclude" for criterion in eligibility.criteria):
        found.append(_SPECTRUM)
    if missing:
        found.append(_MISSING)
    if eligibility.planned == "a posteriori":
        found.append(_A_POSTERIORI)
    return found


def bias_text(eligibility: Eligibility, *, missing: bool = False) -> str:
    """The bias as Markdown, with the criteria that bring each."""
    lines = ["# Bias of the selection", ""]
    by_needs = {name: needs for needs, (name, _) in BIAS.items()}
    for name, words in bias_of(eligibility, missing=missing):
        own = [one.name for one in eligibility.criteria if one.needs == by_needs.get(name)]
        lines += [f"## {name}", "", words, ""]
        lines += [f"Brought by: {', '.join(own)}.", ""] if own else []
    lines.append("Source: Montagnon 2020, Insights Imaging 11:22, https://doi.org/10.1186/s13244-019-0832-5.")
    return "\n".join(lines) + "\n"

"""Private elements that PS3.15 table E.3.10-1 lists as safe: numbers of diffusion, scaling and uptake, no text.

Only elements with a numeric value representation are here; texts of private elements are never kept. Creators and
elements were checked against one public transcription of the table (safe_private_attributes of a de-identifier on
GitHub), value representations against pydicom's dictionary of private elements; the text of the standard itself was not
at hand. What the transcription did not have is not kept.
"""

#: (private creator, group, element within its block) -> value representations that may be kept
_SAFE = {
    ("SIEMENS MR HEADER", 0x0019, 0x0C): {"IS"},
    ("SIEMENS MR HEADER", 0x0019, 0x0E): {"FD"},
    ("SIEMENS MR HEADER", 0x0019, 0x27): {"FD"},
    ("Philips Imaging DD 001", 0x2001, 0x03): {"FL"},
    ("Philips MR Imaging DD 001", 0x2005, 0x0D): {"FL"},
    ("Philips MR Imaging DD 001", 0x2005, 0x0E): {"FL"},
    ("Philips PET Private Group", 0x7053, 0x00): {"DS"},
    ("Philips PET Private Group", 0x7053, 0x09): {"DS"},
    ("GEMS_PARM_01", 0x0043, 0x39): {"IS"},
}


def is_safe_private(creator: str, tag: int, vr: str) -> bool:
    """Whether a private element is listed as safe and has the value representation of the list.

    Example:
        >>> is_safe_private("Philips PET Private Group", 0x70531000, "DS")
        True
        >>> is_safe_private("Philips PET Private Group", 0x70531000, "LO")
        False
    """
    return vr in _SAFE.get((creator.strip(), tag >> 16, tag & 0xFF), ())

"""A second verifier that shares no code with the package: bytes of whole files, and a walk over decoded values."""

from pathlib import Path

import pydicom

CODECS = ("ascii", "utf-8", "latin-1", "iso2022_jp", "shift_jis", "euc_kr", "gb18030", "cp1252", "utf-16-le")


def find_values(folder, values):
    """(file, value) of each value that stands in a file's bytes, its decoded elements, or its name."""
    found = []
    for path in sorted(Path(folder).rglob("*")):
        if not path.is_file():
            continue
        data = path.read_bytes()
        decoded = _decoded(path)
        for value in values:
            in_name = value.lower() in str(path.relative_to(folder)).lower()
            if in_name or value.lower() in decoded or any(form in data for form in _forms(value)):
                found.append((path.name, value))
    return found


def _forms(value):
    for codec in CODECS:
        try:
            yield value.encode(codec)
        except UnicodeEncodeError:
            continue


def _decoded(path):
    try:
        dataset = pydicom.dcmread(path)
    except pydicom.errors.InvalidDicomError:
        return path.read_text(errors="replace").lower()
    return "\n".join(_values(dataset)).lower()


def _values(dataset):
    for tag in list(dataset.keys()):
        try:
            element = dataset[tag]
        except Exception:  # a damaged element, which no reader decodes; its bytes are searched as all others
            continue
        if element.VR == "SQ":
            for item in element.value:
                yield from _values(item)
        elif element.VR not in ("OB", "OW"):
            yield str(element.value)

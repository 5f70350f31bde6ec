"""Names of an archive's files as text: those that are no UTF-8 too, so that tables can hold them and files be found."""

from pathlib import Path

_SURROGATES = {0xDC00 + byte: 0xF700 + byte for byte in range(0x80, 0x100)}
_BYTES = {private: surrogate for surrogate, private in _SURROGATES.items()}


def to_text(name: str) -> str:
    """A file name as text for tables: bytes that are no UTF-8 become characters of private use.

    Example:
        >>> to_text("M\udcfcller.dcm") == "M\uf7fcller.dcm"
        True
    """
    return name.translate(_SURROGATES)


def locate(archive: Path, name: str) -> Path:
    """Where the file of a name in a table lies.

    Example:
        >>> locate(Path("archive"), "M\uf7fcller.dcm").name == "M\udcfcller.dcm"
        True
    """
    return archive / name.translate(_BYTES)

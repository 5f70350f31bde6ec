"""Names of an archive's files as text: those that are no UTF-8 too, so that tables can hold them and files be found."""

from pathlib import Path

_SURROGATES = {0xDC00 + byte: 0xF700 + byte for byte in range(0x80, 0x100)}
_BYTES = {private: surrogate for surrogate, private in _SURROGATES.items()}


def to_text(name: str) -> str:
    r"""A file name as text for tables: bytes that are no UTF-8 become characters of private use.

    Example:
        >>> import os
        >>> to_text(os.fsdecode(b"M\xfcller.dcm")) == "M\uf7fcller.dcm"
        True
    """
    return name.translate(_SURROGATES)


def locate(archive: Path, name: str) -> Path:
    r"""Where the file of a name in a table lies.

    Example:
        >>> import os
        >>> locate(Path("archive"), "M\uf7fcller.dcm").name == os.fsdecode(b"M\xfcller.dcm")
        True
    """
    return archive / name.translate(_BYTES)

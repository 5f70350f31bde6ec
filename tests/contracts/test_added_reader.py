"""A package with a reader of its own: the code of docs/how-to/add-a-reader.md keeps the contract of all readers."""

import sys

import numpy as np
import pytest

from firstread.core.errors import DataError
from firstread.core.images import read_image, read_volume, sniff_format

from .reader_contract import check_agreement, check_broken_files, check_reader


@pytest.fixture
def graymap(install_page):
    """The page's package, and the code that uses it."""
    return install_page("add-a-reader.md", "graymap")


def write_pgm(path, pixels, header=b"P5\n# a comment\n20 12\n255\n"):
    path.write_bytes(header + pixels.tobytes())
    return path


def test_the_page_runs(graymap, capsys):
    for code in graymap:
        exec(compile(code, "add-a-reader.md", "exec"), {})
    assert "pgm (12, 16, 16) uint8" in capsys.readouterr().out


def test_it_keeps_the_contract(graymap, tmp_path):
    pixels = np.arange(240, dtype=np.uint8).reshape(12, 20)
    check_reader("pgm", __import__("graymap"), write_pgm(tmp_path / "tiny.pgm", pixels))
    assert np.array_equal(read_image(tmp_path / "tiny.pgm"), pixels)
    deep = (pixels.astype(">u2") * 100).astype(">u2")
    path = write_pgm(tmp_path / "deep.pgm", deep, b"P5 20 12 65535\n")
    assert np.array_equal(read_volume(path).values[0], deep)
    assert (read_image(path).min(), read_image(path).max()) == (0, 255)


def test_a_reader_that_fills_up_what_is_missing_breaks_the_contract(graymap, tmp_path, monkeypatch):
    import graymap as reader

    path = write_pgm(tmp_path / "tiny.pgm", np.zeros((12, 20), np.uint8))
    monkeypatch.setattr(reader, "read_pixels", lambda path: np.zeros((12, 20), np.uint8))
    check_agreement("pgm", path)
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        check_broken_files(path)


def test_sizes_beyond_reason_are_refused_before_anything_is_read(graymap, tmp_path):
    for header in (b"P5 999999 999999 255\n", b"P5 0 5 255\n", b"P5 5 5 0\n"):
        with pytest.raises(DataError, match="The image states"):
            read_image(write_pgm(tmp_path / "a.pgm", np.zeros(4, np.uint8), header))


def test_the_package_is_imported_only_for_a_file_that_nobody_else_knows(graymap, tmp_path):
    from PIL import Image

    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "a.png")
    assert sniff_format(tmp_path / "a.png") == "png"
    assert "graymap" not in sys.modules
    (tmp_path / "a.txt").write_text("P5 is not alone a picture")
    assert sniff_format(tmp_path / "a.txt") == "pgm"
    assert "graymap" in sys.modules
    with pytest.raises(DataError, match="The header of the PGM file is broken"):
        read_image(tmp_path / "a.txt")
    (tmp_path / "b.txt").write_text("hello")
    assert sniff_format(tmp_path / "b.txt") == "unknown"
    with pytest.raises(DataError, match="DICOM or NIfTI, pgm"):
        read_image(tmp_path / "b.txt")


def test_a_reader_that_cannot_be_imported_is_said_and_others_go_on(graymap, tmp_path, monkeypatch):
    (tmp_path / "site-packages" / "graymap.py").write_text("import a_package_that_is_not_there")
    (tmp_path / "b.txt").write_text("hello")
    with pytest.warns(UserWarning, match='The reader "pgm" cannot be loaded'):
        assert sniff_format(tmp_path / "b.txt") == "unknown"

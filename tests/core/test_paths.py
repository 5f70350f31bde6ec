"""firstread's folder: a file in its place is named with a remedy; an operating system's errors in words."""

import errno

import pytest

from firstread.core.errors import StorageError
from firstread.core.files import storage_error, write_text
from firstread.core.paths import home_folder, is_own_place, runs_folder


@pytest.mark.parametrize("below", ["", "deeper/still"])
def test_a_file_in_place_of_the_folder_is_named(monkeypatch, tmp_path, below):
    blocked = tmp_path / "blocked"
    blocked.write_text("a file")
    monkeypatch.setenv("FIRSTREAD_HOME", str(blocked / below if below else blocked))
    for folder in (home_folder, runs_folder):
        with pytest.raises(StorageError, match=r"a file stands there.*blocked\..*FIRSTREAD_HOME"):
            folder()


def test_a_folder_that_is_not_there_yet_is_fine(monkeypatch, tmp_path):
    monkeypatch.setenv("FIRSTREAD_HOME", str(tmp_path / "new" / "home"))
    assert home_folder() == tmp_path / "new" / "home"
    assert is_own_place(tmp_path / "new" / "home" / "runs")
    assert not is_own_place(tmp_path / "new")


def test_writing_below_a_file_says_so(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match=r"A file stands where a folder is needed.*file"):
        write_text(tmp_path / "file" / "below" / "a.txt", "text")


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "The disk is full"),
        (errno.EROFS, "no permission to read or write"),
        (errno.EACCES, "no permission to read or write"),
        (errno.ENOTDIR, "A file stands where a folder is needed"),
        (errno.EIO, None),
        (errno.ENOENT, None),
    ],
)
def test_errors_of_the_operating_system_in_words(tmp_path, number, message):
    told = storage_error(OSError(number, "text", str(tmp_path / "a")))
    assert (told is None) if message is None else message in str(told)
    assert storage_error(OSError(number, "text")) is None


def test_in_firstreads_own_folder_what_cannot_be_made_cannot_be_written(firstread_home):
    for number in (errno.ENOENT, errno.EROFS, errno.EACCES):
        told = storage_error(OSError(number, "text", str(firstread_home / "data")))
        assert "This folder cannot be written" in str(told)

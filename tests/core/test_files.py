"""Atomic files and folders, JSON, and errors of a full or read-only disk."""

import errno
import itertools
import json
import os
import threading

import numpy as np
import pytest

from firstread.core.errors import DataError, StorageError
from firstread.core.files import (
    atomic_folder,
    read_json,
    to_jsonable,
    write_atomically,
    write_bytes,
    write_json,
    write_text,
)


def test_what_was_there_survives_a_failure(tmp_path):
    path = write_text(tmp_path / "a.txt", "old")

    def fail(temporary):
        temporary.write_text("half")
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        write_atomically(path, fail)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "disk is full.*FIRSTREAD_HOME"),
        (errno.EACCES, "cannot be written"),
        (errno.EROFS, "cannot be written"),
    ],
)
def test_a_full_or_closed_disk_is_a_sentence_and_loses_nothing(tmp_path, number, words):
    path = write_bytes(tmp_path / "a", b"old")

    def fail(temporary):
        raise OSError(number, os.strerror(number))

    with pytest.raises(StorageError, match=words):
        write_atomically(path, fail)
    assert path.read_bytes() == b"old"
    with pytest.raises(StorageError, match=words), atomic_folder(tmp_path / "folder"):
        raise OSError(number, os.strerror(number))
    assert os.listdir(tmp_path) == ["a"]


def test_a_folder_appears_whole_or_not_at_all(tmp_path):

    def stop():
        with atomic_folder(tmp_path / "f") as temporary:
            (temporary / "a").touch()
            raise KeyError("stop")

    with pytest.raises(KeyError, match="stop"):
        stop()
    assert os.listdir(tmp_path) == []
    for content in ("one", "two"):
        with atomic_folder(tmp_path / "f") as temporary:
            (temporary / "a").write_text(content)
    assert (tmp_path / "f" / "a").read_text() == "two"
    assert os.listdir(tmp_path) == ["f"]


def test_folders_above_are_made_and_the_file_can_be_read_by_others(tmp_path):
    path = write_bytes(tmp_path / "x" / "y" / "z", b"1")
    assert path.stat().st_mode & 0o444 == 0o444 & ~_umask()


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_json_of_numpy_numbers_and_nan(tmp_path):
    value = {"a": np.float32(1.5), "b": np.arange(3), "c": float("nan"), "d": tmp_path, "e": (1, None, True), 3: np.inf}
    written = json.loads(write_json(tmp_path / "a.json", value).read_text())
    assert written == {"a": 1.5, "b": [0, 1, 2], "c": None, "d": str(tmp_path), "e": [1, None, True], "3": None}
    assert to_jsonable({1}) == [1]


def test_broken_and_missing_json(tmp_path):
    (tmp_path / "a.json").write_text("{half")
    with pytest.raises(DataError, match="not valid JSON"):
        read_json(tmp_path / "a.json")
    (tmp_path / "a.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(DataError, match="not valid JSON"):
        read_json(tmp_path / "a.json")
    with pytest.raises(DataError, match="missing"):
        read_json(tmp_path / "b.json")


def test_files_are_as_open_as_the_umask_says_and_no_thread_sees_another(tmp_path):
    """Another thread's files stay as its umask says while files are written atomically."""
    before = os.umask(0o077)
    try:
        stop, wrong = threading.Event(), []

        def create_files():
            for number in itertools.count():
                path = tmp_path / f"own{number % 50}"
                path.unlink(missing_ok=True)
                path.touch()
                if path.stat().st_mode & 0o077:
                    wrong.append(path.name)
                if stop.is_set():
                    return

        thread = threading.Thread(target=create_files)
        thread.start()
        for number in range(200):
            assert write_text(tmp_path / f"atomic{number % 5}", "x").stat().st_mode & 0o777 == 0o600
        with atomic_folder(tmp_path / "folder"):
            pass
        stop.set()
        thread.join()
    finally:
        os.umask(before)
    assert wrong == []
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o700

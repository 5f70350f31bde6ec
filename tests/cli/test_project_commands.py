"""The group `firstread project`: a project made, indexed and looked at from the terminal."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from firstread.cli import app
from firstread.core.errors import DataError, SettingError
from readers.dicom_files import save_series


@pytest.fixture
def base(tmp_path):
    save_series(tmp_path / "archive" / "CT", np.zeros((4, 8, 8), np.int16))
    (tmp_path / "passphrase.txt").write_text("four words of my own\n")
    return tmp_path


def call(*words):
    result = CliRunner().invoke(app, ["project", *map(str, words)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def new(base, *more):
    return call(
        *("new", base / "liver", "--archive", base / "archive", "--vault", base / "vault"),
        *("--passphrase-file", base / "passphrase.txt", *more),
    )


def test_from_a_folder_to_an_index(base):
    made = new(base, "--question", "How large are metastases?")
    assert made.exit_code == 0
    assert "Recovery code" in made.output
    assert call("status", "-C", base / "liver").output.count("open") == 3
    counted = json.loads(call("index", "-C", base / "liver", "--processes", 1, "--json").output)
    assert (counted["files"], counted["volumes"]) == (4, 1)
    status = json.loads(call("status", "-C", base / "liver", "--json").output)
    assert [row["state"] for row in status] == ["done", "open", "open"]
    (base / "archive" / "more.txt").write_text("more")
    stale = call("status", "-C", base / "liver")
    assert stale.exit_code == 1
    assert "archive has changed since" in stale.output


def test_a_passphrase_is_asked_for_twice(base):
    words = ["project", "new", str(base / "p"), "--archive", str(base / "archive"), "--vault", str(base / "v")]
    asked = CliRunner().invoke(app, words, input="four words of my own\nfour words of my own\n")
    assert asked.exit_code == 0
    assert "four words" not in asked.output


def test_wrong_use_is_a_sentence(base):
    new(base)
    with pytest.raises(SettingError, match=r'--shard "2" is not possible.*I/N'):
        call("index", "-C", base / "liver", "--shard", "2")
    with pytest.raises(DataError, match="This folder is no project"):
        call("status", "-C", base / "archive")
    with pytest.raises(DataError, match="passphrase cannot be read"):
        call("new", base / "other", "--archive", base / "archive", "--passphrase-file", base / "none.txt")

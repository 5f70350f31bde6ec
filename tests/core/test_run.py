"""Run: saved and loaded; runs of older versions are refused."""

import json

import pytest

from firstread.core.errors import DataError
from firstread.core.run import Run


def test_a_run_comes_back(tmp_path):
    run = Run(folder=tmp_path, model="m", settings={"epochs": 1}, history=[], arms={}, metadata={})
    run.save()
    assert Run.load(tmp_path).settings == {"epochs": 1}
    with pytest.raises(DataError, match="missing"):
        Run.load(tmp_path / "nothing")


def test_a_run_of_an_older_version_is_refused(tmp_path):
    older = {"model": {}, "settings": [], "history": [], "arms": {}, "facts": {}}
    (tmp_path / "run.json").write_text(json.dumps(older))
    with pytest.raises(DataError, match=r"older version of firstread.*train again"):
        Run.load(tmp_path)

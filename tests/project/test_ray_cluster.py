"""A Ray cluster on the loopback interface makes what one process makes; without Ray there is a sentence."""

import sys

import pytest

from firstread.core.errors import MissingDependencyError, NetworkError
from firstread.project.archive_deidentifier import DeidentificationSettings, deidentify_archive
from firstread.project.index import index_archive
from project.curated_archive import make_curated_project
from project.hostile_archive import PASSPHRASE, contents, make_project


@pytest.fixture
def project(tmp_path):
    project = make_project(tmp_path)
    index_archive(project)
    return project


@pytest.mark.slow
def test_a_local_cluster_makes_the_same_bytes(project, monkeypatch):
    pytest.importorskip("ray")
    import firstread.project.archive_deidentifier as step

    plan = step.ShardPlan
    monkeypatch.setattr(step, "ShardPlan", lambda *args, **more: plan(*args, size=5, **more))
    counts = deidentify_archive(project, PASSPHRASE, DeidentificationSettings(ray="local", processes=2))
    found = contents(project.paths["deidentified"])
    deidentify_archive(project, PASSPHRASE, DeidentificationSettings(options=("none",), replace=True))
    options = ("retain-dates-shifted", "retain-patient-characteristics", "clean-descriptors")
    again = deidentify_archive(project, PASSPHRASE, DeidentificationSettings(options=options, replace=True))
    assert again == counts
    assert contents(project.paths["deidentified"]) == found


@pytest.mark.slow
def test_no_cluster_is_a_sentence(project):
    pytest.importorskip("ray")
    with pytest.raises(NetworkError, match="There is no Ray cluster at this address"):
        deidentify_archive(project, PASSPHRASE, DeidentificationSettings(ray="127.0.0.1:1"))


def test_without_ray_the_extra_is_named(project, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependencyError, match=r'Ray is not installed.*extra "ray"'):
        deidentify_archive(project, PASSPHRASE, DeidentificationSettings(ray="local"))


@pytest.mark.slow
def test_a_local_cluster_curates_the_same_tables(tmp_path, monkeypatch):
    pytest.importorskip("ray")
    import firstread.project.archive_curator as step

    monkeypatch.setattr(step, "SERIES_A_SHARD", 2)
    one, many = (make_curated_project(tmp_path / "same", name=name) for name in ("one", "many"))
    assert step.curate_archive(many, step.CurationSettings(ray="local", processes=2)) == step.curate_archive(one)
    for name in ("series.parquet", "studies.parquet", "faults.parquet", "excluded.csv"):
        assert (many.paths["curated"] / name).read_bytes() == (one.paths["curated"] / name).read_bytes()

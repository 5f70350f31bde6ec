"""Folder of a class: an older class opens, and its address is the one that people type."""

import pytest

pytest.importorskip("sqlalchemy", reason="the classroom needs firstread[classroom]")

from firstread.classroom.class_folder import ClassFolder
from firstread.core.errors import DataError, SettingError
from firstread.core.files import read_json, write_json


@pytest.fixture
def create(monkeypatch, tmp_path):
    monkeypatch.setenv("FIRSTREAD_HOME", str(tmp_path))
    return lambda **options: ClassFolder.create("class", lesson="hello-world", **options)


def test_a_class_from_before_subdomains_opens(create):
    folder = create()
    values = read_json(folder.path / "class.json")
    write_json(folder.path / "class.json", {name: value for name, value in values.items() if name != "subdomain_host"})
    assert ClassFolder(folder.path).settings == folder.settings


def test_a_class_with_unknown_settings_is_of_another_version(create):
    folder = create()
    write_json(folder.path / "class.json", read_json(folder.path / "class.json") | {"color": "red"})
    with pytest.raises(DataError, match="another version"):
        ClassFolder(folder.path)


def test_the_name_whose_subdomains_are_used_is_the_address(create):
    folder = create(subdomain_host="class.example", host="0.0.0.0", port=8100)
    assert folder.public_url == "http://class.example:8100/"
    assert folder.dashboard_url.startswith("http://class.example:8101/")
    with pytest.raises(SettingError, match="no name whose subdomains"):
        create(subdomain_host="10.0.0.1")

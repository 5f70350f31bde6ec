"""Settings of a class in a cluster: generated, complete, and refused where a value is missing."""

import json

import pytest

pytest.importorskip("sqlalchemy", reason="the classroom needs firstread[classroom]")

from typer.testing import CliRunner

from firstread.classroom.cluster.cluster_folder import ClusterFolder, find_cluster_class
from firstread.classroom.cluster.entrypoint import app, make_secret
from firstread.classroom.lifecycle import describe_class, find_class
from firstread.core.errors import SettingError
from firstread.lessons.lesson_info import find_lesson

DATABASES = {"database": "postgresql+psycopg://u:p@db/class", "hub_database": "postgresql+psycopg://u:p@db/hub"}


def settings_of(secret):
    return json.loads(secret["stringData"]["class.json"])


def a_secret(**changed):
    given = {"host": "class.example", "data": "hello-world", "name": "class", **DATABASES, **changed}
    return make_secret(find_lesson("hello-world"), **given)


def a_folder(tmp_path, **changed):
    values = settings_of(a_secret()) | changed
    (tmp_path / "class.json").write_text(json.dumps(values))
    return tmp_path


def test_every_class_has_codes_and_keys_of_its_own():
    one, other = settings_of(a_secret()), settings_of(a_secret())
    for secret in ("join_code", "instructor_key", "class_key"):
        assert one[secret] != other[secret]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"database": ""}, "FIRSTREAD_DATABASE"),
        ({"database": "sqlite:///x"}, "FIRSTREAD_DATABASE"),
        ({"hub_database": "mysql://x"}, "FIRSTREAD_HUB_DATABASE"),
        ({"hub_database": DATABASES["database"]}, "database each"),
    ],
)
def test_databases_that_cannot_serve_are_refused(changed, words):
    with pytest.raises(SettingError, match=words):
        a_secret(**changed)


def test_the_secret_is_printed_for_kubectl_and_databases_are_not_typed(monkeypatch):
    for name, url in (
        ("FIRSTREAD_DATABASE", DATABASES["database"]),
        ("FIRSTREAD_HUB_DATABASE", DATABASES["hub_database"]),
    ):
        monkeypatch.setenv(name, url)
    done = CliRunner().invoke(app, ["secret", "--host", "class.example"])
    assert done.exit_code == 0
    made = json.loads(done.stdout)
    assert (made["kind"], made["metadata"]["name"]) == ("Secret", "firstread-class")
    assert settings_of(made)["database"] == DATABASES["database"]
    assert made["stringData"]["hub-database"] == DATABASES["hub_database"]


def test_addresses_are_those_of_the_cluster(tmp_path):
    folder = ClusterFolder(a_folder(tmp_path), shared=tmp_path)
    assert folder.public_url == "https://class.example/"
    assert folder.dashboard_url == "https://class.example/services/classroom/"
    assert folder.service_url == "http://classroom:8008/services/classroom/"
    assert folder.proxy_count == 2


def test_without_a_database_there_is_no_class_in_a_cluster(tmp_path):
    with pytest.raises(SettingError, match="needs a database"):
        ClusterFolder(a_folder(tmp_path, database=""))


def test_the_class_commands_work_in_the_services_pod(tmp_path, monkeypatch):
    monkeypatch.setenv("FIRSTREAD_CLUSTER", str(a_folder(tmp_path, database=f"sqlite:///{tmp_path / 'c.sqlite'}")))
    found = find_class(None)
    assert isinstance(found, ClusterFolder)
    told = describe_class(found)
    assert (told["running"], told["address"]) == (True, "https://class.example/")
    monkeypatch.delenv("FIRSTREAD_CLUSTER")
    assert find_cluster_class() is None


def test_an_image_is_prepared_without_data_for_the_hub(tmp_path):
    done = CliRunner().invoke(app, ["prepare", "--folder", str(tmp_path / "image"), "--no-with-data"])
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "image" / "template.ipynb").read_text())["cells"]
    assert (tmp_path / "image" / "jupyter" / "kernels" / "python3" / "kernel.json").exists()
    assert not (tmp_path / "image" / "data").exists()
    asked = json.loads((tmp_path / "image" / "jupyter" / "labconfig" / "default_setting_overrides.json").read_text())
    assert asked["@jupyterlab/apputils-extension:notification"]["fetchNews"] == "false"
    assert not list((tmp_path / "image").rglob("class.json"))


def test_each_pod_has_processors_of_its_own_so_the_service_keeps_no_queue(tmp_path):
    pytest.importorskip("jupyterhub", reason="the classroom needs firstread[classroom]")
    from starlette.testclient import TestClient

    from firstread.classroom.database.store import Store
    from firstread.classroom.service.app import make_app

    folder = ClusterFolder(a_folder(tmp_path), shared=tmp_path)
    store = Store(f"sqlite:///{tmp_path / 'class.sqlite'}", key=b"key", experiments={}, seed=1)
    with TestClient(make_app(folder, store=store, hub=object())):
        assert list(folder.sockets_folder.iterdir()) == []
    store.engine.dispose()

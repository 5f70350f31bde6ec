"""A class on Kubernetes: pod manifests made by KubeSpawner from our configuration, and the files in deploy/kubernetes.

No cluster is needed. `apply_chart` does what the chart does with values.yaml before it runs `hub.extraConfig`, for the
values that concern a participant's pod.
"""

import asyncio
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("kubespawner", reason="a class on several machines needs firstread[kubernetes]")
pytest.importorskip("yaml", reason="PyYAML is not installed")

import yaml
from traitlets.config import Config

from firstread.classroom.cluster.entrypoint import make_secret, open_cluster_class
from firstread.core.errors import SettingError
from firstread.lessons.lesson_info import find_lesson

DEPLOY = Path(__file__).resolve().parents[3] / "deploy" / "kubernetes"
VALUES = yaml.safe_load((DEPLOY / "values.yaml").read_text(encoding="utf-8"))
CLASSROOM = list(yaml.safe_load_all((DEPLOY / "classroom.yaml").read_text(encoding="utf-8")))
KUBECONFIG = """
apiVersion: v1
kind: Config
clusters: [{name: none, cluster: {server: "http://127.0.0.1:1"}}]
contexts: [{name: none, context: {cluster: none, user: none}}]
users: [{name: none, user: {}}]
current-context: none
"""


def apply_chart(c, values):
    """Set what the chart sets for a participant's pod."""
    single = values["singleuser"]
    c.KubeSpawner.image = f"{single['image']['name']}:{single['image']['tag']}"
    c.KubeSpawner.mem_limit, c.KubeSpawner.mem_guarantee = single["memory"]["limit"], single["memory"]["guarantee"]
    c.KubeSpawner.cpu_limit, c.KubeSpawner.cpu_guarantee = single["cpu"]["limit"], single["cpu"]["guarantee"]
    c.KubeSpawner.storage_capacity = single["storage"]["capacity"]
    c.KubeSpawner.volumes = [
        {"name": "volume-{user_server}", "persistentVolumeClaim": {"claimName": "claim-{user_server}"}}
    ]
    c.KubeSpawner.volume_mounts = [{"mountPath": single["storage"]["homeMountPath"], "name": "volume-{user_server}"}]
    c.KubeSpawner.uid, c.KubeSpawner.fs_gid = 1000, 100
    for code in values["hub"]["extraConfig"].values():
        exec(code, {"c": c})


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """The class of a Secret and of the hub pod's environment, with an SQLite database."""
    databases = {
        "database": "postgresql+psycopg://u:secret-of-db@db/class",
        "hub_database": "postgresql+psycopg://u:p@db/hub",
    }
    secret = make_secret(
        find_lesson("hello-world"), host="class.example", data="hello-world", name="class", **databases
    )
    settings = json.loads(secret["stringData"]["class.json"]) | {"database": f"sqlite:///{tmp_path / 'class.sqlite'}"}
    (tmp_path / "class.json").write_text(json.dumps(settings))
    (tmp_path / "kubeconfig").write_text(KUBECONFIG)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    import kubernetes_asyncio.config.kube_config as kube_config

    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "kubeconfig"))
    monkeypatch.setenv("FIRSTREAD_CLUSTER", str(tmp_path))
    monkeypatch.setenv("FIRSTREAD_HUB_DATABASE", databases["hub_database"])
    open_cluster_class.cache_clear()
    yield open_cluster_class()
    open_cluster_class()[1].engine.dispose()
    open_cluster_class.cache_clear()


@pytest.fixture
def c(cluster):
    c = Config()
    apply_chart(c, VALUES)
    return c


def make_spawner(c, username, **more):
    from firstread.classroom.cluster.kubernetes import ClassKubeSpawner

    async def make():
        user = SimpleNamespace(name=username, id=1, url=f"/user/{username}/", escaped_name=username)
        hub = SimpleNamespace(
            public_host="", api_url="http://hub:8081/hub/api", base_url="/hub/", url="http://hub:8081"
        )
        spawner = ClassKubeSpawner(_mock=True, config=c, user=user, hub=hub, **more)
        spawner.api_token = "token-of-the-hub"
        return spawner, await spawner.get_pod_manifest()

    spawner, pod = asyncio.run(make())
    return spawner, spawner.api.api_client.sanitize_for_serialization(pod)


@pytest.fixture
def person(cluster):
    return cluster[1].join("Ana {name} $(HOME)")[0]


def environment(pod):
    return {one["name"]: one.get("value") for one in pod["spec"]["containers"][0]["env"]}


def test_a_pod_may_do_nothing_beyond_its_home(c, person):
    _, pod = make_spawner(c, person.username)
    spec, container = pod["spec"], pod["spec"]["containers"][0]
    security = container["securityContext"]
    assert security["runAsNonRoot"] is True
    assert (security["runAsUser"], security["privileged"], security["allowPrivilegeEscalation"]) == (1000, False, False)
    assert security["readOnlyRootFilesystem"] is True
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert "serviceAccountName" not in spec
    assert spec["enableServiceLinks"] is False
    assert not any(spec.get(name) for name in ("hostNetwork", "hostPID", "hostIPC", "initContainers"))
    written = {one["mountPath"] for one in container["volumeMounts"]}
    assert written == {"/home/participant", "/tmp", "/dev/shm"}
    kinds = {kind for volume in spec["volumes"] for kind in volume if kind != "name"}
    assert kinds == {"persistentVolumeClaim", "emptyDir"}
    assert all(volume["emptyDir"]["sizeLimit"] for volume in spec["volumes"] if "emptyDir" in volume)


def test_a_pod_has_its_share_and_no_more(c, person):
    _, pod = make_spawner(c, person.username)
    resources = pod["spec"]["containers"][0]["resources"]
    assert int(resources["limits"]["memory"]) == 2 * 2**30
    assert int(resources["requests"]["memory"]) == 1400 * 2**20
    assert float(resources["limits"]["cpu"]) == 2


def test_a_pod_runs_our_command_and_its_arguments_hold_no_secret(c, person, cluster):
    settings = cluster[0].settings
    authenticator = SimpleNamespace(pending_resume_words={person.username: "otter-maple-417"})
    _, pod = make_spawner(c, person.username, authenticator=authenticator)
    container = pod["spec"]["containers"][0]
    assert container["args"][:3] == ["python", "-m", "firstread.classroom.cluster.pod"]
    told = environment(pod)
    for secret in (
        settings.join_code,
        settings.instructor_key,
        settings.class_key,
        settings.database,
        "token-of-the-hub",
        "otter-maple-417",
    ):
        assert secret not in " ".join(container["args"])
        assert secret not in json.dumps(pod["metadata"])
    for secret in (settings.join_code, settings.instructor_key, settings.class_key, settings.database, "secret-of-db"):
        assert not any(secret in (value or "") for value in told.values())
    assert told["FIRSTREAD_RESUME_WORD"] == "otter-maple-417"
    assert json.loads(told["FIRSTREAD_ARMS"]) == person.arms
    assert told["FIRSTREAD_CLASSROOM"] == "http://classroom:8008/services/classroom/"
    assert told["HOME"] == "/home/participant"
    assert told["FIRSTREAD_HOME"] == "/home/participant/.firstread"


def test_values_that_slip_open_nothing(cluster, person):
    c = Config()
    slipped = json.loads(json.dumps(VALUES))
    c.KubeSpawner.privileged = True
    c.KubeSpawner.service_account = "cluster-admin"
    c.KubeSpawner.automount_service_account_token = True
    c.KubeSpawner.container_security_context = {"runAsUser": 0}
    c.KubeSpawner.extra_pod_config = {"hostNetwork": True, "priority": 1}
    apply_chart(c, slipped)
    _, pod = make_spawner(c, person.username)
    security = pod["spec"]["containers"][0]["securityContext"]
    assert (security["privileged"], security["runAsUser"]) == (False, 1000)
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert pod["spec"]["hostNetwork"] is False
    assert pod["spec"]["priority"] == 1, "what is harmless stays"


def test_nobody_but_a_participant_gets_a_pod(c, cluster):
    spawner, _ = make_spawner(c, "somebody-else")
    with pytest.raises(PermissionError, match="not a participant"):
        spawner.start()


@pytest.mark.parametrize("fails", [True, False])
def test_the_word_waits_until_a_pod_has_taken_it(c, person, monkeypatch, fails):
    from kubespawner import KubeSpawner

    async def started():
        if fails:
            raise TimeoutError("no node has room")
        return "http://10.0.0.7:8888"

    monkeypatch.setattr(KubeSpawner, "start", lambda self: asyncio.ensure_future(started()))
    authenticator = SimpleNamespace(pending_resume_words={person.username: "otter-maple-417"})
    spawner, _ = make_spawner(c, person.username, authenticator=authenticator)

    async def story():
        await asyncio.gather(spawner.start(), return_exceptions=True)
        await asyncio.sleep(0)

    asyncio.run(story())
    assert (person.username in authenticator.pending_resume_words) is fails


def test_the_hub_is_told_who_comes_in_and_where_it_remembers(c, cluster):
    from firstread.classroom.cluster.kubernetes import ClassKubeSpawner, ClusterAuthenticator

    assert c.JupyterHub.spawner_class is ClassKubeSpawner
    assert c.JupyterHub.authenticator_class is ClusterAuthenticator
    assert c.JupyterHub.db_url == "postgresql+psycopg://u:p@db/hub"
    assert c.Spawner.default_url == "/lab/tree/hello-world.ipynb"
    assert c.JupyterHub.tornado_settings["cookie_options"]["secure"] is True, "the ingress speaks https"


def test_without_the_hubs_database_nothing_starts(cluster, monkeypatch):
    from firstread.classroom.cluster.kubernetes import configure_kubernetes_hub

    monkeypatch.delenv("FIRSTREAD_HUB_DATABASE")
    with pytest.raises(SettingError, match="database is missing"):
        configure_kubernetes_hub(Config())


def test_guesses_are_counted_by_whom_the_ingress_saw(cluster):
    from tornado.httputil import HTTPHeaders

    from firstread.classroom.cluster.kubernetes import ClusterAuthenticator

    authenticator = ClusterAuthenticator()
    headers = HTTPHeaders({"X-Forwarded-For": "made up, 10.1.1.1, 10.9.9.9"})
    request = SimpleNamespace(headers=headers, remote_ip="10.9.9.9")
    assert authenticator.get_client_address(request) == "10.1.1.1"


def test_a_new_participants_word_waits_for_their_pod(cluster):
    from firstread.classroom.cluster.kubernetes import ClusterAuthenticator

    authenticator = ClusterAuthenticator()
    request = SimpleNamespace(headers={}, remote_ip="10.9.9.9")
    typed = {"code": cluster[0].settings.join_code, "name": "Ana"}
    username = asyncio.run(authenticator.authenticate(SimpleNamespace(request=request), typed))
    assert authenticator.pending_resume_words == {username: authenticator.new_resume_words[username]}


def test_the_internet_and_the_neighbours_are_closed_to_a_pod():
    policy = VALUES["singleuser"]["networkPolicy"]
    assert policy["enabled"] is True
    opened = {name for name, value in policy["egressAllowRules"].items() if value}
    assert opened == {"dnsPortsKubeSystemNamespace"}
    (only,) = policy["egress"]
    (peer,) = only["to"]
    assert list(peer) == ["podSelector"], "no address and no namespace"
    assert peer["podSelector"]["matchLabels"].items() <= CLASSROOM[0]["spec"]["template"]["metadata"]["labels"].items()
    assert VALUES["singleuser"]["cloudMetadata"]["blockWithIptables"] is False, "it would need a privileged container"


def test_the_service_the_hub_and_the_policies_mean_the_same_port_and_name():
    from firstread.classroom.cluster.cluster_folder import SECRET_NAME, SERVICE_HOST, SERVICE_PORT

    deployment, service, policy = CLASSROOM
    pod = deployment["spec"]["template"]
    assert (service["metadata"]["name"], service["spec"]["ports"][0]["port"]) == (SERVICE_HOST, SERVICE_PORT)
    assert VALUES["hub"]["services"]["classroom"]["url"] == f"http://{SERVICE_HOST}:{SERVICE_PORT}"
    assert pod["spec"]["containers"][0]["ports"][0]["containerPort"] == SERVICE_PORT
    assert policy["spec"]["ingress"][0]["ports"][0]["port"] == SERVICE_PORT
    labels = pod["metadata"]["labels"]
    for selector in (
        deployment["spec"]["selector"]["matchLabels"],
        service["spec"]["selector"],
        policy["spec"]["podSelector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()
    for volumes in (pod["spec"]["volumes"], VALUES["hub"]["extraVolumes"]):
        (settings,) = [one["secret"] for one in volumes if "secret" in one]
        assert settings["secretName"] == SECRET_NAME
        assert [item["key"] for item in settings["items"]] == ["class.json"]


def test_the_service_runs_as_nobody_special():
    pod = CLASSROOM[0]["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert "limits" in container["resources"]
    assert not [one for one in container["env"] if re.search("TOKEN|KEY|PASSWORD", one["name"]) and "value" in one]


def test_the_images_hold_no_tools_and_no_root():
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    stages = dict(re.findall(r"^FROM [^\n]* AS (\S+)\n(.*?)(?=^FROM |\Z)", text, re.MULTILINE | re.DOTALL))
    for final in ("class", "participant"):
        assert re.findall(r"^USER (\S+)", stages[final], re.MULTILINE) == ["1000:1000"]
        assert "RUN" not in stages[final]
        assert all(
            f"COPY --from={final}-packages" in line for line in stages[final].splitlines() if line.startswith("COPY")
        )
    for line in text.replace("\\\n", " ").splitlines():
        if "pip install" in line:
            assert "-c constraints.txt" in line
    assert "firstread.classroom.cluster.entrypoint prepare" in stages["participant-packages"]
    home = VALUES["singleuser"]["storage"]["homeMountPath"]
    assert f"WORKDIR {home}" in stages["participant"]


def test_the_modules_of_one_machine_need_no_kubernetes():
    import subprocess

    code = (
        "import sys; sys.modules['kubespawner'] = sys.modules['kubernetes_asyncio'] = None\n"
        "import firstread.classroom.hub.configuration, firstread.classroom.lifecycle, "
        "firstread.classroom.cluster.cluster_folder, firstread.classroom.cluster.pod"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

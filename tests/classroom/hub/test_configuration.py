"""JupyterHub's configuration: the proxy is another process's, and each server may have a name of its own."""

import pytest

pytest.importorskip("jupyterhub", reason="the classroom needs firstread[classroom]")

from traitlets.config import Config

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.hub.configuration import configure_hub
from firstread.classroom.proxy.proxy_files import api_token


@pytest.fixture
def configure(monkeypatch, tmp_path):
    monkeypatch.setenv("FIRSTREAD_HOME", str(tmp_path))

    def configure(**options):
        folder, config = ClassFolder.create("class", lesson="hello-world", **options), Config()
        configure_hub(config, folder)
        return folder, config

    return configure


def test_the_hub_neither_starts_nor_stops_the_proxy(configure):
    folder, config = configure()
    assert config.ConfigurableHTTPProxy.should_start is False
    assert config.ConfigurableHTTPProxy.auth_token == api_token(folder)
    assert config.ConfigurableHTTPProxy.api_url.startswith("http+unix://%2F")
    assert "subdomain_host" not in config.JupyterHub


def test_the_proxys_tokens_are_of_no_use_for_one_another(configure):
    folder, config = configure()
    settings = folder.settings
    assert len({api_token(folder), folder.proxy_token, settings.class_key, settings.instructor_key}) == 4
    assert not [name for name in config.Spawner.env_keep if "PROXY" in name or "TOKEN" in name]


def test_with_subdomains_no_page_can_set_a_cookie_for_another_host(configure):
    _, config = configure(subdomain_host="class.example", port=443, certificate="chain.pem", key="key.pem")
    assert config.JupyterHub.subdomain_host == "https://class.example"
    assert config.JupyterHub.cookie_host_prefix_enabled is True
    assert list(config.ConfigurableHTTPProxy.extra_routes) == ["class.example/services/classroom/"]
    _, config = configure(subdomain_host="class.example")
    assert config.JupyterHub.cookie_host_prefix_enabled is False, "browsers take that prefix over https only"

"""JupyterHub configuration of a class."""

import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

from firstread.classroom.class_folder import SERVICE_NAME, SERVICE_PREFIX, ClassFolder
from firstread.classroom.hub.authenticator import JoinAuthenticator
from firstread.classroom.hub.spawner import ClassSpawner
from firstread.classroom.progress.dashboard import PAGES
from firstread.classroom.proxy.proxy_files import api_socket, api_token

#: environment variables that servers inherit from the hub; others may hold secrets
ENV_KEEP = ("PATH", "LANG", "LC_ALL", "TZ", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "FIRSTREAD_LESSONS", "PYTHONPATH")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Content-Security-Policy": "frame-ancestors 'self'; report-uri /hub/security/csp-report",
}


def configure_common(c: Any, folder: ClassFolder) -> None:
    """Configuration common to a class on one machine and in a cluster: templates, headers, cookies, default URL."""
    c.JupyterHub.template_paths = [str(PAGES)]
    cookies = {"samesite": "Lax", **({"secure": True} if folder.scheme == "https" else {})}
    c.JupyterHub.tornado_settings = {"headers": _HEADERS, "slow_spawn_timeout": 1, "cookie_options": cookies}
    c.JupyterHub.last_activity_interval = 60
    c.Authenticator.allow_all = True
    c.Spawner.disable_user_config = True  # nothing in a participant's home configures or extends their server
    c.Spawner.default_url = f"/lab/tree/{folder.settings.lesson}.ipynb"


def configure_hub(c: Any, folder: ClassFolder) -> None:
    """Set JupyterHub's configuration `c` for a class on one machine."""
    settings, hub = folder.settings, folder.path / "hub"
    configure_common(c, folder)
    c.JupyterHub.bind_url = f"{folder.scheme}://{settings.host}:{settings.port}"
    c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{folder.ports['hub']}"
    c.JupyterHub.db_url = f"sqlite:///{hub / 'hub.sqlite'}"
    c.JupyterHub.cookie_secret_file = str(hub / "cookie_secret")
    c.JupyterHub.data_files_path = c.JupyterHub.data_files_path or str(Path(sys.prefix) / "share" / "jupyterhub")
    _configure_proxy(c, folder)
    c.JupyterHub.cleanup_servers = False  # servers go on while the hub restarts
    c.JupyterHub.concurrent_spawn_limit = 0
    c.JupyterHub.authenticator_class = JoinAuthenticator
    c.JoinAuthenticator.class_path = c.ClassSpawner.class_path = str(folder.path)
    c.JupyterHub.spawner_class = ClassSpawner
    c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
    c.Spawner.env_keep = list(ENV_KEEP)
    c.Spawner.poll_interval = 5  # a server that ended is noticed, and restarted by the page that uses it
    c.Spawner.start_timeout = c.Spawner.http_timeout = 120
    c.JupyterHub.services = [
        {
            "name": SERVICE_NAME,
            "url": f"http://127.0.0.1:{folder.ports['service']}",
            "command": [sys.executable, "-m", "firstread.classroom.service.app"],
            "environment": {"FIRSTREAD_CLASS": str(folder.path)},
            "display": False,
        }
    ]
    # the service deletes a participant's user in the hub when they delete their data; this ends their server
    c.JupyterHub.load_roles = [{"name": SERVICE_NAME, "scopes": ["delete:users"], "services": [SERVICE_NAME]}]


def _configure_proxy(c: Any, folder: ClassFolder) -> None:
    """Use the class's own proxy, which the supervisor starts, by the API of configurable-http-proxy."""
    c.JupyterHub.proxy_class = "jupyterhub.proxy.ConfigurableHTTPProxy"
    c.ConfigurableHTTPProxy.should_start = False
    c.ConfigurableHTTPProxy.api_url = f"http+unix://{quote(str(api_socket(folder)), safe='')}"
    c.ConfigurableHTTPProxy.auth_token = api_token(folder)
    if domain := folder.settings.subdomain_host:
        c.JupyterHub.subdomain_host = folder.public_url.rstrip("/")
        # a page on one subdomain can set cookies for the others, but none with this prefix
        c.JupyterHub.cookie_host_prefix_enabled = folder.scheme == "https"
        # participants' own pages of the service are at the class's own name
        service_url = f"http://127.0.0.1:{folder.ports['service']}"
        c.ConfigurableHTTPProxy.extra_routes = {f"{domain}{SERVICE_PREFIX}/": service_url}

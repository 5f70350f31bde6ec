"""The service of a class as a process of its own, without a hub."""

import os
import subprocess
import sys
import time
import urllib.request


class Service:
    """The class's service as a process of its own, which can be killed and started again."""

    def __init__(self, folder):
        self.folder, self.process = folder, None

    def start(self):
        """Start it and wait until it answers."""
        environment = {
            **os.environ,
            "FIRSTREAD_CLASS": str(self.folder.path),
            "JUPYTERHUB_API_TOKEN": "none",
            "JUPYTERHUB_API_URL": "http://127.0.0.1:9/hub/api",
            "JUPYTERHUB_SERVICE_PREFIX": "/services/classroom/",
        }
        self.process = subprocess.Popen([sys.executable, "-m", "firstread.classroom.service.app"], env=environment)
        end = time.monotonic() + 40
        while time.monotonic() < end:
            try:
                with urllib.request.urlopen(f"{self.folder.service_url}login", timeout=2):
                    return
            except OSError:
                time.sleep(0.1)
        raise AssertionError("the service did not start")

    def kill(self):
        """As nobody wants it."""
        self.process.kill()
        self.process.wait(10)

"""What a participant's browser receives: joining and opening the lesson for the first time, once more, and a minute of sitting there.

Needs a class that runs, chromium and playwright. Prints JSON for benchmarks/capacity.toml.
Usage: python benchmarks/wire.py [--name CLASS]
"""

import argparse
import json
import time
from typing import Any

from playwright.sync_api import BrowserContext, Page, sync_playwright

from firstread.classroom.lifecycle import find_class

CHROMIUM = "/usr/bin/chromium"
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip


class Received:
    """Bytes that came over the network to a page, headers and WebSocket frames included."""

    def __init__(self, context: BrowserContext, page: Page) -> None:
        self.bytes = self.requests = 0
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.loadingFinished", self._finished)
        session.on("Network.webSocketFrameReceived", self._frame)

    def _finished(self, told: dict[str, Any]) -> None:
        self.bytes += int(told["encodedDataLength"])
        self.requests += 1

    def _frame(self, told: dict[str, Any]) -> None:
        self.bytes += len(told["response"]["payloadData"])

    def since(self, before: int) -> int:
        """Bytes after there were `before`."""
        return self.bytes - before


def ready(page: Page) -> None:
    """Wait until the notebook stands there with its kernel, and nothing more comes."""
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=120_000)
    page.wait_for_timeout(8_000)


def main() -> None:
    """Join, open, open again, wait a minute."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", default=None)
    folder = find_class(parser.parse_args().name)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        context = browser.new_context(ignore_https_errors=True)
        page = context.new_page()
        received = Received(context, page)
        page.goto(f"{folder.address}hub/login?code={folder.settings.join_code}")
        page.fill("#name", "Measured")
        page.click("button")
        began = time.perf_counter()
        page.click("a.button")
        ready(page)
        first, seconds = received.bytes, time.perf_counter() - began
        requests = received.requests
        page.reload()
        ready(page)
        second = received.since(first)
        before = received.bytes
        page.wait_for_timeout(60_000)
        idle = received.since(before)
        browser.close()
    found = {
        "first_load_bytes": first, "first_load_requests": requests, "second_load_bytes": second, "idle_bytes_a_minute": idle,
        "seconds_to_notebook": round(seconds - 8, 1),
    }  # fmt: skip
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()

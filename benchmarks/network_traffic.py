"""Network traffic of a participant's browser: first load of the lesson, reload, and an idle minute.

Needs a class that runs, chromium and playwright. Prints JSON for benchmarks/capacity.toml.
Usage: python benchmarks/network_traffic.py [--name CLASS]
"""

import argparse
import json
import time
from typing import Any

from playwright.sync_api import BrowserContext, Page, sync_playwright

from firstread.classroom.lifecycle import find_class

CHROMIUM = "/usr/bin/chromium"
CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class TrafficCounter:
    """Bytes and requests that a page received, headers and WebSocket frames included."""

    def __init__(self, context: BrowserContext, page: Page) -> None:
        self.bytes = self.requests = 0
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.loadingFinished", self._on_response)
        session.on("Network.webSocketFrameReceived", self._on_websocket_frame)

    def _on_response(self, event: dict[str, Any]) -> None:
        self.bytes += int(event["encodedDataLength"])
        self.requests += 1

    def _on_websocket_frame(self, event: dict[str, Any]) -> None:
        self.bytes += len(event["response"]["payloadData"])

    def bytes_since(self, before: int) -> int:
        """Bytes received since the counter stood at `before`."""
        return self.bytes - before


def wait_until_ready(page: Page) -> None:
    """Wait until the notebook with its kernel is displayed and loading has ended."""
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=120_000)
    page.wait_for_timeout(8_000)


def main() -> None:
    """Join the class, open the lesson, reload it, idle for a minute; print the traffic as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", default=None)
    folder = find_class(parser.parse_args().name)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_OPTIONS)
        context = browser.new_context(ignore_https_errors=True)
        page = context.new_page()
        traffic = TrafficCounter(context, page)
        page.goto(f"{folder.public_url}hub/login?code={folder.settings.join_code}")
        page.fill("#name", "Measured")
        page.click("button")
        begin = time.perf_counter()
        page.click("a.button")
        wait_until_ready(page)
        first, seconds = traffic.bytes, time.perf_counter() - begin
        requests = traffic.requests
        page.reload()
        wait_until_ready(page)
        second = traffic.bytes_since(first)
        before = traffic.bytes
        page.wait_for_timeout(60_000)
        idle = traffic.bytes_since(before)
        browser.close()
    measurements = {
        "first_load_bytes": first,
        "first_load_requests": requests,
        "second_load_bytes": second,
        "idle_bytes_a_minute": idle,
        "seconds_to_notebook": round(seconds - 8, 1),
    }
    print(json.dumps(measurements, indent=2))


if __name__ == "__main__":
    main()

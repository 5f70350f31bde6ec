"""Rate limit of wrong codes, words and keys by client address."""

import hmac
import time
from collections import OrderedDict
from collections.abc import Mapping

#: failures that are allowed at once, and after how long one is forgotten
MAX_FAILURES, RECOVERY_SECONDS = 30, 10.0
_MAX_ADDRESSES = 10_000
#: set by our proxy on requests to the hub and the service, never on those to participants' servers
PROXY_TOKEN_HEADER = "x-firstread-proxy"  # noqa: S105 - the name of a header
NOT_THROUGH_PROXY = "not through the proxy"


def client_address(forwarded_for: str, *, proxy_count: int) -> str:
    """Client address in X-Forwarded-For, as the outermost trusted proxy saw it.

    Args:
        forwarded_for: the header's value; each proxy appends an address. What is before is set by the client itself.
        proxy_count: number of trusted proxies.
    """
    addresses = [part.strip() for part in forwarded_for.split(",")]
    return addresses[-min(proxy_count, len(addresses))]


def trusted_client_address(headers: Mapping[str, str], *, proxy_token: str, proxy_count: int) -> str:
    """Client address as our proxy saw it; all requests that did not come through the proxy share one address.

    Participants' servers reach the hub and the service directly, and may send any header but the proxy's token.

    Args:
        headers: of the request, with names in lower case or case-insensitive.
        proxy_token: see `ClassFolder.proxy_token`; empty where the proxies are not ours.
        proxy_count: number of trusted proxies.
    """
    if proxy_token and not hmac.compare_digest(headers.get(PROXY_TOKEN_HEADER, "").encode(), proxy_token.encode()):
        return NOT_THROUGH_PROXY
    return client_address(headers.get("x-forwarded-for", ""), proxy_count=proxy_count)


class RateLimiter:
    """Leaky bucket of failures by address.

    It limits answers to wrong guesses only: whoever knows the right code is let in, however many others guess from the
    same address. So what it protects must be too long to be guessed at the rate of the network.

    Args:
        max_failures: allowed at once.
        recovery_seconds: after which one failure is forgotten.
    """

    def __init__(self, *, max_failures: int = MAX_FAILURES, recovery_seconds: float = RECOVERY_SECONDS) -> None:
        self.max_failures, self.recovery_seconds = max_failures, recovery_seconds
        self._failures: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def is_allowed(self, address: str, now: float | None = None) -> bool:
        """True if this address may try again."""
        return self._current_level(address, now) < self.max_failures

    def record_failure(self, address: str, now: float | None = None) -> None:
        """Count a failure of this address."""
        level = self._current_level(address, now) + 1
        self._failures[address] = (level, time.monotonic() if now is None else now)
        self._failures.move_to_end(address)
        while len(self._failures) > _MAX_ADDRESSES:
            self._failures.popitem(last=False)

    def _current_level(self, address: str, now: float | None) -> float:
        level, updated = self._failures.get(address, (0.0, 0.0))
        return max(0.0, level - ((time.monotonic() if now is None else now) - updated) / self.recovery_seconds)

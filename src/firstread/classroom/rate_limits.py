"""How often a stranger may guess."""

import time
from collections import OrderedDict

#: wrong guesses in a row that nobody notices, and how fast they are forgiven
GUESSES, SECONDS_EACH = 30, 10.0
_REMEMBERED = 10_000


def sender(forwarded_for: str, *, proxies: int) -> str:
    """The address that the outermost of our proxies saw; what stands before it is a stranger's own word.

    Args:
        forwarded_for: the header X-Forwarded-For, to whose end each proxy adds an address.
        proxies: how many of them are ours.
    """
    seen = [part.strip() for part in forwarded_for.split(",")]
    return seen[-min(proxies, len(seen))]


class Guesses:
    """Wrong guesses by address. Right ones cost nothing, so a whole class may join from behind one address.

    Args:
        most: so many wrong ones at once.
        seconds_each: after so long one is forgiven.
    """

    def __init__(self, *, most: int = GUESSES, seconds_each: float = SECONDS_EACH) -> None:
        self.most, self.seconds_each = most, seconds_each
        self._wrong: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allowed(self, address: str, now: float | None = None) -> bool:
        """True if this address may guess again."""
        return self._level(address, now) < self.most

    def wrong(self, address: str, now: float | None = None) -> None:
        """This address guessed wrong."""
        level = self._level(address, now) + 1
        self._wrong[address] = (level, time.monotonic() if now is None else now)
        self._wrong.move_to_end(address)
        while len(self._wrong) > _REMEMBERED:
            self._wrong.popitem(last=False)

    def _level(self, address: str, now: float | None) -> float:
        level, at = self._wrong.get(address, (0.0, 0.0))
        return max(0.0, level - ((time.monotonic() if now is None else now) - at) / self.seconds_each)

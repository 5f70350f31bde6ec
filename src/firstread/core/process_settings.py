"""Settings of the whole process that several threads change at once and leave as they found them."""

import threading
from collections.abc import Callable
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class ProcessSetting(Generic[T]):
    """Changes a setting of the process while at least one thread is within the block.

    The first thread that enters changes it, the last one that leaves restores it, in whatever order they come.

    Args:
        change: changes the setting; returns what `restore` needs.
        restore: brings back the setting.

    Example:
        >>> values = ["before"]
        >>> setting = ProcessSetting(change=lambda: values.append("changed"), restore=lambda _: values.pop())
        >>> with setting, setting:
        ...     values
        ['before', 'changed']
        >>> values
        ['before']
    """

    def __init__(self, change: Callable[[], T], restore: Callable[[T], object]) -> None:
        self._change, self._restore = change, restore
        self._lock = threading.Lock()
        self._previous: list[T] = []  # empty unless it is changed
        self._users = 0

    @property
    def value(self) -> T:
        """What `change` returned; only within the block."""
        return self._previous[0]

    def __enter__(self) -> Self:
        with self._lock:
            if not self._users:
                self._previous = [self._change()]
            self._users += 1
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                self._restore(self._previous.pop())

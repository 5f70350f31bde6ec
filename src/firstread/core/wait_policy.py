"""How the threads of a computation wait for one another, chosen before the library that runs them is loaded."""

import os
import sys
from collections.abc import Mapping, MutableMapping

#: environment variables by which a user decides it: of OpenMP, of GNU's library and of LLVM's and Intel's
_USERS_CHOICE = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
#: sleep when there is nothing to do; with GNU's library after some microseconds, in which most waits end
_POLICY = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "1000"}


def let_threads_sleep(
    environment: MutableMapping[str, str] = os.environ, *, loaded: Mapping[str, object] = sys.modules
) -> bool:
    """Let waiting threads of PyTorch sleep soon instead of spinning, unless the user has decided or PyTorch is loaded.

    By default a thread that waits for another keeps its core busy. On a quiet computer that saves a little; beside
    other programs it takes the core that the awaited thread needs, and a training can stand almost still (measured:
    benchmarks/thread_policy.py). OpenMP reads its environment once, when it is loaded.

    Args:
        environment: is changed; programs that are started later inherit it.
        loaded: modules by name.

    Returns:
        True if it was decided here.

    Example:
        >>> environment = {}
        >>> let_threads_sleep(environment, loaded={})
        True
        >>> environment
        {'OMP_WAIT_POLICY': 'PASSIVE', 'GOMP_SPINCOUNT': '1000'}
        >>> let_threads_sleep({"GOMP_SPINCOUNT": "1000"}, loaded={})
        False
    """
    if "torch" in loaded or any(name in environment for name in _USERS_CHOICE):
        return False
    environment.update(_POLICY)
    return True

"""Shards on a Ray cluster: a task a shard, which does what a process pool does on one machine.

Nodes need a shared file system with archive, project and vault under the same paths, and the same firstread.
The keys of the project travel to them: the cluster's network must be one that may see them, or use TLS.
"""

import os
import socket
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from firstread.core.errors import FirstreadError, MissingDependencyError, NetworkError, StorageError
from firstread.project.shards import ShardPlan, ShardWork, run_one_shard

LOCAL = "local"
_IN_FLIGHT_PER_CPU = 2
_SECONDS_TO_CONNECT = 10.0


def run_shards_on_ray(work: ShardWork, plan: ShardPlan, *, address: str) -> None:
    """Run all shards of a plan as tasks of a Ray cluster.

    Args:
        work: what is done with the files of each shard.
        plan: files and parts; each task works through a shard with one process.
        address: of the cluster, "auto" for the one that this node belongs to, or "local" for one on this machine,
            which listens on the loopback interface alone and ends with the run.

    Raises:
        MissingDependencyError: Ray is not installed.
        NetworkError: there is no cluster at the address.
    """
    try:
        import ray
    except ImportError as error:
        raise MissingDependencyError(
            "Ray is not installed", do='install firstread again with its extra "ray", or leave --ray out'
        ) from error
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    _connect(ray, address, processes=plan.processes)
    try:
        _run(ray, work, plan)
    finally:
        ray.shutdown()


def _connect(ray: Any, address: str, *, processes: int) -> None:
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        if address == LOCAL:
            # Ray's own 15 lets its workers starve beside other programs: on a busy machine a run seems to hang
            os.environ.setdefault("RAY_worker_niceness", "0")
            ray.init(num_cpus=processes, include_dashboard=False, _node_ip_address="127.0.0.1", **quiet)
        else:
            _check_reachable(address)
            ray.init(address=address, **quiet)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise NetworkError(
            "There is no Ray cluster at this address", where=address, do="start one, or use --ray local"
        ) from error


def _check_reachable(address: str) -> None:
    """Raise an error where nobody listens at an address: Ray itself tries for many minutes.

    Raises:
        OSError: nobody listens.
        ValueError: the address is none.
    """
    parts = urlsplit(address if "//" in address else f"//{address}")
    if parts.hostname and parts.port is not None:  # "auto" has no port: Ray looks for the cluster of this node
        socket.create_connection((parts.hostname, parts.port), _SECONDS_TO_CONNECT).close()


def _run(ray: Any, work: ShardWork, plan: ShardPlan) -> None:
    task = ray.remote(num_cpus=1, max_retries=2)(run_one_shard)
    single = replace(plan, names=(), part=(1, 1), processes=1)
    waiting = [(number, names) for number, names in plan.shards()]
    limit = _IN_FLIGHT_PER_CPU * max(1, int(ray.cluster_resources().get("CPU", 1)))
    running: dict[Any, int] = {}
    with plan.progress_bar(sum(len(names) for _, names in waiting)) as bar:
        while waiting or running:
            while waiting and len(running) < limit:
                number, names = waiting.pop(0)
                running[task.remote(work, single, number, names)] = len(names)
            finished, _ = ray.wait(list(running), num_returns=1, timeout=5)
            for reference in finished:
                bar.update(running.pop(reference))
                _get(ray, reference)


def _get(ray: Any, reference: Any) -> None:
    try:
        ray.get(reference)
    except ray.exceptions.RayError as error:
        cause = getattr(error, "cause", None)
        if isinstance(cause, FirstreadError):
            raise cause from None
        raise StorageError(
            f"A shard was not finished on the cluster ({type(cause or error).__name__})",
            do="run the same command again: shards that are done are kept",
        ) from None

"""A pass of shards over many files: here, as a part of a job array, or on a Ray cluster."""

from firstread.core.files import translate_os_errors
from firstread.project.shards import ShardPlan, ShardWork, count_done, run_shards


def run_pass(work: ShardWork, plan: ShardPlan, *, ray: str | None = None) -> int:
    """Run the shards of a plan that are not done; their folder is for its owner alone.

    Args:
        work: what is done with the files of each shard.
        plan: files, part and processes.
        ray: address of a Ray cluster that runs the shards; None: the processes of the plan.

    Returns:
        Number of shards that are left to other parts.

    Raises:
        StorageError: the disk is full, or the folder cannot be written.
        NetworkError: there is no Ray cluster at the address.
    """
    with translate_os_errors(work.folder):
        work.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if ray is not None:
        from firstread.project.ray_cluster import run_shards_on_ray

        run_shards_on_ray(work, plan, address=ray)
    else:
        run_shards(work, plan)
    return plan.count - count_done(plan, work)

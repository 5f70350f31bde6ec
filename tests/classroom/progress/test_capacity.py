"""Capacity of the machine, within the limits of its container, and warnings that say what to do."""

import psutil
import pytest

from firstread.classroom.progress.capacity import GIB, CapacityMonitor, MachineUsage


def write(root, **files):
    for name, text in files.items():
        file = root / name.replace("__", "/").replace("_DOT_", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def test_without_limits_it_is_the_machine(tmp_path):
    machine = CapacityMonitor(tmp_path, root=tmp_path).current_usage()
    assert machine.memory_total_bytes == psutil.virtual_memory().total
    assert 0 < machine.memory_available_bytes < machine.memory_total_bytes
    assert machine.cpu_load is None, "one look says nothing about the processor"
    assert machine.disk_free_bytes > 0


def test_the_tightest_group_counts_and_what_can_be_dropped_is_left(tmp_path):
    group = tmp_path / "sys/fs/cgroup"
    write(tmp_path, proc__self__cgroup="0::/outer/inner\n")
    write(group, memory_DOT_max="max\n")
    write(
        group / "outer",
        memory_DOT_max=f"{2 * GIB}\n",
        memory_DOT_current=f"{GIB}\n",
        memory_DOT_stat=f"anon 5\ninactive_file {GIB // 2}\n",
    )
    write(group / "outer/inner", memory_DOT_max="max\n", memory_DOT_current=f"{GIB}\n")
    machine = CapacityMonitor(tmp_path, root=tmp_path).current_usage()
    assert (machine.memory_total_bytes, machine.memory_available_bytes) == (2 * GIB, 1.5 * GIB)


def test_version_1_of_control_groups(tmp_path):
    group = tmp_path / "sys/fs/cgroup/memory"
    write(tmp_path, proc__self__cgroup="9:cpu:/x\n4:memory:/docker/abc\n")
    write(
        group,
        memory_DOT_limit_in_bytes=f"{GIB}\n",
        memory_DOT_usage_in_bytes=f"{GIB // 4}\n",
        memory_DOT_stat="total_inactive_file 0\n",
    )
    assert CapacityMonitor(tmp_path, root=tmp_path).current_usage().memory_available_bytes == 0.75 * GIB


def test_processor_time_of_a_container_over_its_share(tmp_path):
    group, times = tmp_path / "sys/fs/cgroup", iter([0.0, 10.0])
    write(tmp_path, proc__self__cgroup="0::/\n")
    write(group, cpu_DOT_max="50000 100000\n", cpu_DOT_stat="usage_usec 1000000\n")
    monitor = CapacityMonitor(tmp_path, root=tmp_path, clock=lambda: next(times))
    assert monitor.current_usage().cores == 0.5
    write(group, cpu_DOT_stat="usage_usec 5000000\n")
    assert monitor.current_usage().cpu_load == pytest.approx(0.8)


def test_it_looks_seldom(tmp_path):
    times = iter([0.0, 1.0, 1.9, 2.1])
    monitor = CapacityMonitor(tmp_path, clock=lambda: next(times))
    first = monitor.current_usage()
    assert monitor.current_usage() is monitor.current_usage() is first
    assert monitor.current_usage() is not first


def test_who_trains_and_who_waits(tmp_path):
    machine = CapacityMonitor(tmp_path, count_trainings=lambda: (1, 2)).current_usage()
    assert (machine.trainings_running, machine.trainings_waiting) == (1, 2)


def test_cores_are_whole_for_the_queue(tmp_path):
    write(tmp_path, proc__self__cgroup="0::/\n")
    write(tmp_path / "sys/fs/cgroup", cpu_DOT_max="50000 100000\n", cpu_DOT_stat="usage_usec 1000000\n")
    assert CapacityMonitor(tmp_path, root=tmp_path).cores() == 1


@pytest.mark.parametrize(
    ("machine", "said"),
    [
        (MachineUsage(12 * GIB, 24 * GIB, 50 * GIB, 0.5, 2), []),
        (MachineUsage(1.5 * GIB, 24 * GIB, 50 * GIB, None, 2), ["Little memory is left: 1.5 GiB of 24.0 GiB"]),
        (MachineUsage(0.9 * GIB, 4 * GIB, 50 * GIB, 0.1, 2), ["Little memory is left: 0.9 GiB"]),
        (
            MachineUsage(12 * GIB, 24 * GIB, 1 * GIB, 0.99, 2),
            ["Little disk is left: 1.0 GiB", "The processor is fully used"],
        ),
    ],
)
def test_warnings_in_words(machine, said):
    warnings = machine.warnings()
    assert len(warnings) == len(said)
    assert all(part in warning for part, warning in zip(said, warnings, strict=True))

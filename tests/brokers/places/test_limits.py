"""Where control groups may be made, and what is written there, on made-up trees."""

import subprocess
from pathlib import Path

import pytest

from brokers.places.limits import OWN_ONLY, Controller, Limits, delegated, find, impose

V1_MOUNTS = """\
30 29 0:26 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
31 29 0:27 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
32 29 0:28 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""
V2_MOUNTS = "30 24 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"


def test_version_1_has_one_folder_a_controller() -> None:
    """Controllers that share a hierarchy are found by each name."""
    found = find("4:memory:/jobs/a\n3:cpu,cpuacct:/jobs\n0::/\n", V1_MOUNTS)
    assert found["memory"] == Controller(Path("/sys/fs/cgroup/memory/jobs/a"), 1)
    assert found["cpu"] == Controller(Path("/sys/fs/cgroup/cpu,cpuacct/jobs"), 1)


def test_version_2_has_one_folder() -> None:
    """Found under the name `unified`."""
    assert find("0::/user.slice/x.scope\n", V2_MOUNTS) == {
        "unified": Controller(Path("/sys/fs/cgroup/user.slice/x.scope"), 2)
    }


def test_a_container_sees_its_own_part_of_the_tree() -> None:
    """The mount's root is taken off the path of the process."""
    mounts = V1_MOUNTS.replace("0:27 / /sys", "0:27 /docker/abc /sys")
    assert find("4:memory:/docker/abc/x\n", mounts)["memory"].folder == Path("/sys/fs/cgroup/memory/x")


def _group(folder: Path, enabled: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "cgroup.subtree_control").write_text(enabled)
    (folder / "cgroup.procs").write_text("")
    return folder


def test_delegation_is_looked_for_upwards(tmp_path: Path) -> None:
    """The nearest group whose children may have the controller; a session's own scope has processes in it."""
    slice_ = _group(tmp_path / "app.slice", "memory pids")
    scope = _group(slice_ / "x.scope", "")
    assert delegated(scope, "memory", tmp_path) == slice_
    assert delegated(scope, "cpu", tmp_path) is None


def test_version_2_limits_are_written_into_one_group(tmp_path: Path) -> None:
    """Memory without swap, and a quota of whole CPUs."""
    _group(tmp_path / "a", "memory cpu")
    limits = impose(1024**3, 2, {"unified": Controller(tmp_path / "a", 2)}, host_cpus=8)
    (group,) = limits.groups
    assert (group / "memory.max").read_text() == str(1024**3)
    assert (group / "memory.swap.max").read_text() == "0"
    assert (group / "cpu.max").read_text() == "200000 100000"
    assert limits.joins == (group / "cgroup.procs",)
    assert limits.facts == {"memory": "1024 MiB, cgroup v2", "cpus": "2, cgroup v2"}


def test_version_1_limits_are_written_into_a_group_each(tmp_path: Path) -> None:
    """Each hierarchy has its own."""
    own = {name: Controller(tmp_path / name, 1) for name in ("memory", "cpu")}
    for controller in own.values():
        controller.folder.mkdir()
    limits = impose(1024**3, 2, own, host_cpus=8)
    memory, cpu = limits.groups
    assert (memory / "memory.limit_in_bytes").read_text() == str(1024**3)
    assert (cpu / "cpu.cfs_quota_us").read_text() == "200000"
    assert limits.facts == {"memory": "1024 MiB, cgroup v1", "cpus": "2, cgroup v1"}


def test_no_quota_where_the_host_has_no_more_cpus(tmp_path: Path) -> None:
    """A quota of all CPUs could only throttle."""
    _group(tmp_path / "a", "memory cpu")
    limits = impose(1024**3, 8, {"unified": Controller(tmp_path / "a", 2)}, host_cpus=8)
    assert not (limits.groups[0] / "cpu.max").exists()
    assert limits.facts["cpus"] == "8, the host has 8: no quota needed"


def test_a_pinned_broker_gets_a_set_of_cpus_in_place_of_a_quota(tmp_path: Path) -> None:
    """Version 2 needs the CPUs alone."""
    _group(tmp_path / "a", "memory cpu cpuset")
    limits = impose(1024**3, 2, {"unified": Controller(tmp_path / "a", 2)}, host_cpus=8, pinned=(2, 3))
    (group,) = limits.groups
    assert (group / "cpuset.cpus").read_text() == "2-3"
    assert not (group / "cpu.max").exists()
    assert limits.facts["cpus"] == "2, pinned to 2-3 by cpuset of cgroup v2"


def test_version_1_also_wants_memory_nodes(tmp_path: Path) -> None:
    """Those of the group above."""
    own = {name: Controller(tmp_path / name, 1) for name in ("memory", "cpuset")}
    for controller in own.values():
        controller.folder.mkdir()
    (tmp_path / "cpuset" / "cpuset.mems").write_text("0-1\n")
    group = impose(1024**3, 1, own, host_cpus=8, pinned=(3,)).groups[1]
    assert (group / "cpuset.mems").read_text() == "0-1\n"
    assert (group / "cpuset.cpus").read_text() == "3"


def test_without_a_cpuset_affinity_is_told(tmp_path: Path) -> None:
    """Who starts the program keeps it there."""
    _group(tmp_path / "a", "memory")
    limits = impose(1024**3, 1, {"unified": Controller(tmp_path / "a", 2)}, host_cpus=8, pinned=(3,))
    assert limits.facts["cpus"] == "1, pinned to 3 by affinity (no cpuset can be written here)"


def test_without_a_writable_group_the_report_says_so() -> None:
    """The broker's own limits are all there is, and nothing is to be joined or removed."""
    limits = impose(1024**3, 1, {}, host_cpus=8)
    assert limits.joins == limits.groups == ()
    assert limits.facts == {"memory": f"1024 MiB, {OWN_ONLY}", "cpus": f"1, {OWN_ONLY}"}
    assert limits.out_of_memory() is False
    limits.remove()


def test_a_kill_for_want_of_memory_is_seen(tmp_path: Path) -> None:
    """By the kernel's own count."""
    _group(tmp_path / "a", "memory")
    limits = impose(1024**3, 8, {"unified": Controller(tmp_path / "a", 2)}, host_cpus=8)
    events = limits.groups[0] / "memory.events"
    events.write_text("low 0\noom 1\noom_kill 0\n")
    assert limits.out_of_memory() is False
    events.write_text("low 0\noom 1\noom_kill 1\n")
    assert limits.out_of_memory() is True


def test_groups_of_a_killed_maker_are_removed_by_the_next(tmp_path: Path) -> None:
    """A living maker's group stays."""
    parent = _group(tmp_path / "a", "memory")
    gone = subprocess.Popen(["true"])
    gone.wait()
    (parent / f"busbench-{gone.pid}-0").mkdir()
    (parent / "busbench-1-0").mkdir()
    impose(1024**3, 8, {"unified": Controller(parent, 2)}, host_cpus=8)
    assert not (parent / f"busbench-{gone.pid}-0").exists()
    assert (parent / "busbench-1-0").exists()


@pytest.mark.parametrize("made", [True, False])
def test_removal_is_not_a_fault_where_it_is_done_already(tmp_path: Path, *, made: bool) -> None:
    """A group of the kernel's is an empty folder to rmdir."""
    group = tmp_path / "g"
    if made:
        group.mkdir()
    Limits(groups=(group,)).remove()
    assert not group.exists()

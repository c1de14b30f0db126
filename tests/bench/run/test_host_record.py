"""What a result says of the tools that made it."""

from importlib.metadata import version

from bench.drivers.registry import registry
from bench.run.host_record import tool_versions


def test_tools_are_those_of_the_drivers_that_were_used() -> None:
    """The client library and the package of each, beside what shapes every result."""
    tools = tool_versions(["kombu", "memory"])
    assert tools["kombu"] == version("kombu")
    assert tools["busbench"] == registry().installed["kombu"].package.partition(" ")[2]
    assert {"python", "numpy", "hdrhistogram"} <= set(tools)
    assert "kombu" not in tool_versions(["memory"])

"""The flows of an OpenStack control plane: `pattern = "openstack-rpc"`. Pure."""

from collections.abc import Mapping
from typing import Any


def control_plane(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the flows that a workload of that pattern stands for."""
    del given
    return []

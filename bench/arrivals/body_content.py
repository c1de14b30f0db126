"""What bodies hold behind their stamp: zeros, random octets, a compressible share, a file, JSON. Pure.

A body is a function of its content and its size, made once a port and size; messages of one
size differ by their stamps alone.
"""

import json
from dataclasses import dataclass
from typing import Literal

import numpy as np

Content = Literal["zeros", "random", "compressible", "file", "json"]
_SEED = 1


@dataclass(frozen=True)
class BodyContent:
    """What bodies hold.

    Attributes:
        kind: `zeros`; `random` octets; `compressible`: random but for a share of zeros; `file`: octets of a file,
            repeated; `json`: an object with an array of records.
        share: of zeros, for `compressible`.
        octets: of the file.
    """

    kind: Content = "zeros"
    share: float = 0.5
    octets: bytes = b""

    def fill(self, size: int) -> bytes:
        """Return the content of a body of that size, stamp included (it is written over the first octets)."""
        match self.kind:
            case "zeros":
                return bytes(size)
            case "random":
                return _random(size)
            case "compressible":
                return _random(size - int(size * self.share)).ljust(size, b"\0")
            case "file":
                repeated = self.octets * -(-size // max(len(self.octets), 1))
                return repeated[:size].ljust(size, b"\0")
            case "json":
                return _json(size)


def _random(size: int) -> bytes:
    return np.random.default_rng(_SEED).bytes(size)


def _json(size: int) -> bytes:
    """Return an array of records, filled up with spaces, which JSON allows behind it."""
    generator, length = np.random.default_rng(_SEED), len("[]")
    records: list[str] = []
    while True:
        number = len(records)
        record = json.dumps(
            {"id": number, "name": f"item-{number}", "price": round(float(generator.random()) * 100, 2)}
        )
        length += len(record) + (1 if records else 0)
        if length > size:
            return f"[{','.join(records)}]".encode().ljust(size)[:size]
        records.append(record)

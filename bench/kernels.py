"""How functions are compiled: one decorator, one cache that can never be stale.

Numba keeps compiled code on disk by the time of the file that holds the function; an
edit of a callee in another file goes unnoticed. So the cache lies in a folder named by a
digest of every source file that holds kernels, in the user's cache folder, or in a
temporary one where that cannot be written. Nothing but compilation lives here.
"""

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

import numba

from bench.cache import cache_root

_Function = TypeVar("_Function", bound=Callable[..., object])
_HERE = Path(__file__).parent


def _digest() -> str:
    sources = sorted(path for path in _HERE.rglob("*.py") if b"@kernel" in path.read_bytes())
    digest = hashlib.sha256(numba.__version__.encode())
    for path in sources:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _cache_folder() -> Path:
    folder = cache_root() / "kernels" / _digest()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return Path(tempfile.mkdtemp(prefix="busbench-kernels-"))


setattr(numba.config, "CACHE_DIR", str(_cache_folder()))  # noqa: B010  (an attribute that only exists at run time)


def kernel(function: _Function) -> _Function:
    """Compile a function over arrays and integers; `NUMBA_DISABLE_JIT=1` leaves it as it is."""
    return cast("_Function", numba.njit(cache=True, nogil=True)(function))

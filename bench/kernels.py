"""How functions are compiled: a few decorators, one cache that can never be stale.

Numba keeps compiled code on disk by the time of the file that holds the function; an
edit of a callee in another file goes unnoticed. So the cache lies in a folder named by a
digest of every source file that holds kernels, in the user's cache folder, or in a
temporary one where that cannot be written. Nothing but compilation lives here.
"""

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

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


def kernel_entry(function: _Function) -> _Function:
    """Compile as `kernel` does, for a function that calls parts; it cannot make arrays.

    It does without Numba's counting of references, which costs two atomic instructions for
    each array and call: a view lives as long as the caller holds what it shows.
    """
    return cast("_Function", _compile(cache=True, nogil=True, _nrt=False)(function))


def kernel_part(function: _Function) -> _Function:
    """Compile a part of entries into each of them, in place; Python cannot call it."""
    return cast("_Function", _compile(**_PART, forceinline=True)(function))


def kernel_aside(function: _Function) -> _Function:
    """Compile a part of entries that is rarely needed, or long, as a function of its own."""
    return cast("_Function", _compile(**_PART)(function))


_compile: Any = numba.njit
_PART = {"nogil": True, "_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}

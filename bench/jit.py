"""How functions are compiled: a few decorators, one cache that can never be stale.

Numba keeps compiled code on disk by the content and the path of the file that holds the
function: an edit of a callee in another file goes unnoticed, and the same file in another
folder is compiled again. So our cache lies in a folder named by a digest of every source
file that holds kernels, and of every file that one of them imports, as its constants and the
order of its tables' columns are compiled in; in the user's cache folder, or in a temporary
one where that cannot be written; within it a function is found by its module. Nothing is looked for, and no folder
made, before the first call of a kernel. Nothing but compilation lives here.
"""

import atexit
import hashlib
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import cache, cached_property
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core import caching
from numba.core.dispatcher import Dispatcher

from bench.host.cache import cache_root

_Function = TypeVar("_Function", bound=Callable[..., object])
_Table = TypeVar("_Table", bound=tuple[Any, ...])
_HERE = Path(__file__).parent


def _digest() -> str:
    sources = {path: path.read_bytes() for path in _HERE.rglob("*.py")}
    kernels = {path for path, source in sources.items() if b"@kernel" in source}
    digest = hashlib.sha256(numba.__version__.encode())
    needed = {used for path in kernels for used in _imported(sources[path])} & sources.keys()
    for path in sorted(kernels | needed):
        digest.update(sources[path])
    return digest.hexdigest()[:16]


def _imported(source: bytes) -> Iterator[Path]:
    for room, names in re.findall(rb"^from bench\.?([\w.]*) import (\([^)]*\)|.*)", source, re.MULTILINE):
        path = _HERE.joinpath(*room.decode().split("."))
        yield path.with_suffix(".py")
        yield from (path / f"{name.decode()}.py" for name in re.findall(rb"\w+", names))


@cache
def _cache_folder() -> Path:
    folder = cache_root() / "kernels" / _digest()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        made = Path(tempfile.mkdtemp(prefix="busbench-kernels-"))
        atexit.register(shutil.rmtree, made, ignore_errors=True)
        return made


class _ByModule(caching.UserProvidedCacheLocator):
    """Keeps the code of a function in the folder of its module."""

    def __init__(self, function: Callable[..., object], file: str) -> None:
        super().__init__(function, file)  # type: ignore[no-untyped-call]
        self._cache_path = str(_cache_folder() / function.__module__)

    @classmethod
    def from_function(cls, function: Callable[..., object], file: str) -> "_ByModule":
        return cls(function, file)


class _Kept(caching.CompileResultCacheImpl):
    _locator_classes: list[type[object]] = [_ByModule]  # noqa: RUF012  (so it is declared)


class _Store(caching.FunctionCache):
    _impl_class = _Kept


class _Cache(caching.NullCache):
    """The store of one function, opened when code of it is first wanted."""

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function

    @cached_property
    def _store(self) -> _Store:
        return _Store(self._function)  # type: ignore[no-untyped-call]

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        return self._store.load_overload(sig, target_context)  # type: ignore[no-untyped-call]

    def save_overload(self, sig: Any, data: Any) -> None:
        self._store.save_overload(sig, data)  # type: ignore[no-untyped-call]


def _kept(compiled: Any) -> Any:
    """Give a function our cache in place of Numba's."""
    if isinstance(compiled, Dispatcher):
        cast("Any", compiled)._cache = _Cache(compiled.py_func)  # noqa: SLF001  (as `enable_caching` does)
    return compiled


def kernel(function: _Function) -> _Function:
    """Compile a function over arrays and integers; `NUMBA_DISABLE_JIT=1` leaves it as it is."""
    return cast("_Function", _kept(numba.njit(nogil=True)(function)))


def kernel_entry(function: _Function) -> _Function:
    """Compile as `kernel` does, for a function that calls parts; it cannot make arrays.

    It does without Numba's counting of references, which costs two atomic instructions for
    each array and call: a view lives as long as the caller holds what it shows.
    """
    return cast("_Function", _kept(_compile(nogil=True, _nrt=False)(function)))


def kernel_part(function: _Function) -> _Function:
    """Compile a part of entries into each of them, in place; Python cannot call it."""
    return cast("_Function", _compile(**_PART, forceinline=True)(function))


def kernel_aside(function: _Function) -> _Function:
    """Compile a part of entries that is rarely needed, or long, as a function of its own."""
    return cast("_Function", _compile(**_PART)(function))


def packed(table: _Table) -> _Table:
    """Return a table, a NamedTuple of arrays, as the plain tuple that Python hands to an entry.

    Numba takes a microsecond a call to learn the type of a named one, a third of that of a plain
    one. So what an entry does first is to name it again: `tables = Tables(*tables)`.
    """
    return tuple(table)  # type: ignore[return-value]


_compile: Any = numba.njit
_PART = {"nogil": True, "_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}

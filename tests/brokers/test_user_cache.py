"""Where the user's cache is."""

from pathlib import Path

import pytest

from brokers.user_cache import user_cache


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({"XDG_CACHE_HOME": "/c", "HOME": "/h"}, "/c/busbench"),
        ({"HOME": "/h"}, "/h/.cache/busbench"),
        ({"XDG_CACHE_HOME": "", "HOME": "/h"}, "/h/.cache/busbench"),
        ({"XDG_CACHE_HOME": "c", "HOME": "/h"}, "/h/.cache/busbench"),
        ({"XDG_CACHE_HOME": "/c"}, "/c/busbench"),
    ],
)
def test_it_follows_the_environment(environ: dict[str, str], found: str) -> None:
    """A relative XDG_CACHE_HOME is ignored: a run would look for its data where it happens to be started."""
    assert user_cache(environ) == Path(found)


def test_one_message_where_nothing_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a user without an entry and a HOME; the message says what to set."""
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pathlib.Path.home", lambda: (_ for _ in ()).throw(RuntimeError))
    with pytest.raises(OSError, match="set HOME or XDG_CACHE_HOME"):
        user_cache({})

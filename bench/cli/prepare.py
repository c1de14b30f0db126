"""`bench prepare`: what the first run would otherwise do."""

import time

from bench.cli.console import err


def prepare() -> None:
    """Compile the data plane, and load once what reports need, so that the first run need not wait for that.

    `make setup` does this. What is there already is only looked at.
    """
    from bench.drivers.registry import registry  # noqa: PLC0415  (a second of Numba that no other verb's help needs)
    from bench.run.precompile import warm_up  # noqa: PLC0415  (as above)
    from bench.units import time_words  # noqa: PLC0415  (as above)

    started = time.monotonic()
    # Client libraries of others compile nothing.
    own = [name for name, one in registry().installed.items() if one.member.warm and one.member.distribution is None]
    warm_up(own, err.print)
    import reports  # noqa: F401, PLC0415  (matplotlib looks for its fonts once)

    err.print(f"ready in {time_words(time.monotonic() - started)}")

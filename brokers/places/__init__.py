"""Where a broker runs: how its processes are started, seen, signalled and ended."""

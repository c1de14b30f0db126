"""The crosscheck: the same load through our drivers and through other tools, side by side.

It answers "why believe us?". What is asked of another tool and what its output says is pure
(`peer`, `perftest`, `artemis_perf`, `pairing`, `ratios`); `fetch`, `jvm` and `conduct` do the
work with the suite's own brokers, workers and telemetry. Only the command line uses this room.
"""

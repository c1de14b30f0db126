"""Carrying out a run: from a plan to the records of its trials.

`conductor` goes through the plan and keeps `running_brokers`. `trial` is one row of it on a real broker: queues are
declared, a `worker_pool` of processes is started, each with its `worker_assignment`, and all meet on the
`shared_board`, a small map of int64 cells for barrier, progress, heartbeats and tokens. `phases` decides, purely, when
the trial is warm, measured, drained and over. Meanwhile `telemetry` samples broker and clients each 100 ms, and
`slow_telemetry` once a second what costs more. `memory_trial` is the same on virtual time, in this process.

Afterwards `worker_account`s are merged (`merge`), set beside telemetry (`timeline`, `cost`), judged and written
(`trial_record`); where messages were counted, `counts` has the figures of each phase. `health` judges the measurement:
a hard note makes the trial invalid. `findings` tell what the broker did; they never invalidate. `search` lets each
trial decide on the next, judged by `rate_evidence`.

Before a run `preflight` asks brokers of others whether they can do what is wanted, and `precompile` compiles kernels
once; `idle_broker` measures a broker without load. After it `durability_probe` counts synchronous writes by `strace`.
"""

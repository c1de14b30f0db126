"""Statistics over trials. Pure: arrays in, results out; no files, no clock.

The unit is the *trial*: one target under one workload, once, on empty queues. Messages within a
trial depend on each other, so a million of them are still one observation; confidence comes from
repeated, interleaved trials. Figures are ratios by nature (twice as fast, 5 % slower), so estimates
are geometric means and intervals those of Student's t on logarithms (Kalibera & Jones,
"Rigorous benchmarking in reasonable time", ISMM 2013).

- `estimate`: one figure of several trials; `ratio`: two of them against each other, paired where trials
  were interleaved. A difference must be certain *and* matter; otherwise the answer is "undecided".
- `noninferiority`: the gate's two claims, each with its own risk; `pair_drift`: whether its pairs are independent;
  `signed_rank`: a second opinion where trials have outliers.
- `noise_floor`: by how much a broker seems to differ from itself on a host; `resolution`: from a short look, which
  effects a gate can decide there.
- `steady`: whether a measured part was steady, and whether its backlog grew.
- `sustained`: whether one trial kept up with its rate; `rate_search`: which rates to try next, until
  the highest sustained one is known; `curve`: the rates for latency against load.
- `change_point`: where the level of a history changed; `detection`: what watching it can show.

Every routine has a slow, obvious twin in the tests, and its promises (error rates, coverage) are
simulated in `tests/laws`. Nothing returns "significant" on an error, and *undecided* is an answer.
"""

"""The gate READS numbers of a baseline and of a candidate, and says whether the candidate is worse.

`budget` is what a user allows, `metrics` what can be gated, `pairs` pairs trials up, `baseline`
finds the other side in a history. `judge` decides by `bench.stats.noninferiority`, `absolute_limit`
by `bench.stats.absolute_limit` without a baseline. `words`, `export` and `comment` write the verdict
down. Nothing here measures.
"""

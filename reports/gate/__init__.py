"""The gate READS numbers of a baseline and of a candidate, and says whether the candidate is worse.

`budget` is what a user allows, `metrics` what can be gated, `pairs` pairs trials up, `judge`
decides by `bench.stats.noninferiority`, and the rest writes its verdict down. Nothing here measures.
"""

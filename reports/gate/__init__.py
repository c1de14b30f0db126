"""The gate READS numbers of a baseline and of a candidate, and says whether the candidate is worse.

`budget` is what a user allows, `metrics` what can be gated, `cells` pairs trials up, `judge`
decides by `bench.stats.gate`, and the rest writes its verdict down. Nothing here measures.
"""

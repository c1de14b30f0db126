"""The results folder: the records that it holds, written and read, and versions of them told apart.

`records` are the models, `archive` writes and reads them; `schema_versions` refuses newer ones
and upgrades older ones. `comparability` and `durability` judge records alone: which rows differ
only in what a comparison is about, and what a confirmed message survives. Reports read these
records and nothing else of a run.
"""

"""What can be asked: the scenario file as typed models, its reading, its checks, its reference.

`scenario` holds the models, with parts of their own in `profile` (rates that change), `warmup`
and `memory_broker`. `loading` reads a file with its `overrides`; `sweep` makes a workload of each
point of a sweep; `checks` looks at what takes two parts of a scenario; `errors` words every fault of
a file at once; `products` asks the products and places that a scenario names. `reference` writes the
documentation of the models.
"""

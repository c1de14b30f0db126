"""Topology: what is declared for a trial, where a flow's messages go, and who is owed a copy of each.

A pure value that everybody asks: the trial declares it, drivers route by it, the ledger
counts by it what every queue was owed, tokens and the drain how many copies are awaited,
Little's law how often a message counts.

A message has a key, which is a function of its producer and number (`bench.arrivals.keys`).
By the bindings a key is owed to some queues: one *copy* each. A ledger that kept a bit for
each message and queue would be large where there are many queues, so queues share a
*column* where no message is owed to two of them: there are as many columns as a message has
copies, or little more, and one in today's commonest case.

What must live here: matching keys with bindings (`matching`), and laying a workload out
(`layout`). What must not: anything that talks to a broker, or knows a product.
"""

"""When each message is due, how large it is, and the stamp that it carries.

Everything here is a function of a message's number: the n-th intended send time, its size, the
32 bytes at the front of its body. Nothing depends on what was sent before, so that a worker
that is late, restarted or one of many computes the same times as any other, and a message
that goes out late keeps the time at which it should have gone (Tene, "How NOT to measure
latency": a clock that starts at the send omits the wait before it; that is coordinated
omission). Pure: integer nanoseconds in, integer nanoseconds out; no clock is read.
"""

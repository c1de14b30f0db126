"""How fast a driver is when nothing holds it back: measured against a peer that speaks the protocol and no more.

And how much a host differs from itself: closed loops through a relay, a broker that does no work.
"""

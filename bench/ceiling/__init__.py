"""How fast a driver is when nothing holds it back: measured against a peer that speaks the protocol and no more."""

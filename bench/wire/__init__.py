"""Compiled codecs: AMQP frames made and found in byte buffers. No sockets, no clock, no Python object a message."""

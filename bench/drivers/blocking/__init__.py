"""Ports over client libraries that own their sockets and block, as applications use them: `port` and its lanes."""

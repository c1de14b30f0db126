"""The systems under test: settings, brokers, the places they run in, the image they come from.

This package imports nothing of `bench` or `reports`.
"""

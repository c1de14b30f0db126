"""This machine: its clock, CPUs, limits and caches, and how to tell whether it stayed the same.

What is asked of the kernel for one process (realtime priority, open files, a child process
that ends with its parent), what this machine lacks for a run, and what changes on it while a
run goes on (the canary, CPU quotas around us). Nothing here knows of brokers or trials.
"""

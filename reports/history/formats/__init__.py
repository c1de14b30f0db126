"""What other tools leave, read as runs of a history; one file a format, peers of equal rank.

A format is told by its first lines (`seems`), and read whole or not at all (`read`). A file comes
from a stranger: it is of bounded size, each number is looked at, and all its faults are told at
once, each with place, value and what is allowed. What a format cannot know (when, of which
commit, on which host) stays empty here; `reports.history.imported` fills it in.

Figures keep the words and the unit of the tool that made them: what PerfTest calls a consumer
latency is not what we call a response, and nothing is said to be comparable that is not.
"""

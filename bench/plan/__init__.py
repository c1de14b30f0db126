"""From a scenario and a seed to the ordered trials of a run: interleaved blocks, or old and new in ABBA pairs. Pure."""

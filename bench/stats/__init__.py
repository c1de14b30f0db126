"""Statistics over trials: estimates and comparisons. Pure: arrays in, results out."""

"""Carrying out a run: conductor, workers, the board between them, telemetry, health."""

"""Figures: one a file, each a function that draws on a given Axes and returns it. No number is made here."""

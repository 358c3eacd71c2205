"""Measures of reconstructions, and checks of whether they show a leak."""

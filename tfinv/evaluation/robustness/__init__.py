"""Accuracy under attack, and the checks of whether the attacks can be believed."""

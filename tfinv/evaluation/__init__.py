"""Measures: accuracy under attack, what reconstructions give away, and the checks that say whether to believe them."""

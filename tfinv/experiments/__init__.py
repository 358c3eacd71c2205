"""The published experiments, each a short composition."""

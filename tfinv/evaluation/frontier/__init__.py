"""Trade-off of robustness and privacy: a line through models of rising robustness, and the models that lie off it."""

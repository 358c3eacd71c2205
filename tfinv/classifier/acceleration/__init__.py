"""A faster copy of a model, used for gradients only."""

"""Intervals of rates and means, pooling over seeds, and paired differences."""

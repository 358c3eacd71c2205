"""Tables of the results, for all views."""

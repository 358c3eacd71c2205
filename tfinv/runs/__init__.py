"""Working folders, and work that is shared among processes and machines."""

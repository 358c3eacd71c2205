"""Models and images by name, working folders, and work that is shared among processes and machines."""

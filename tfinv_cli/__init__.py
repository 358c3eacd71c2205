"""The command line of tfinv, one module a command."""

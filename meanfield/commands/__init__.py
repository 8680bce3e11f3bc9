"""The command line, and what the command lines of all three packages share."""

"""The commands: each parses, calls, prints. What it does is in the other rooms."""

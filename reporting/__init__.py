"""The report of a run, and of two runs side by side, from their folders alone."""

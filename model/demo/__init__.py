"""The demo detector: a small model of our own, the scenes it was trained on, and the tools to judge it."""

"""What the machine does: GPUs, and later the live view, report and metrics."""

"""What the machine and a run do: GPUs, host, processes and queues, sampled; how a run stands, and what bounds it."""

"""What the machine and a run do, sampled; how a run stands and what bounds it; and what is shown of all that."""

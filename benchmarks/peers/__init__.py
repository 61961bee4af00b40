"""Who feeds an expensive device best? The same frames and the same engine, fed by divainfer and by its peers.

One file a contestant: `serial`, `threads`, `tfdata`, `dataloader`, `raydata`, `mpqueue`, `ours`. `harness` runs and measures
one of them, `contest` all of them in turn, `report` shows it. `python benchmarks/peers --help` tells the rest.
"""

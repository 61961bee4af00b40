"""What a plan makes of the machine."""

from __future__ import annotations

import pytest

from divainfer import RunConfig
from divainfer.dispatcher.plan import first_loaders, make_plan, most_loaders
from divainfer.errors import ConfigError


@pytest.mark.parametrize(
    "cores, workers, first, most",
    [
        (1, 1, 1, 2),
        (2, 1, 2, 4),
        (2, 2, 1, 2),
        (8, 1, 8, 16),
        (8, 8, 1, 2),
        (16, 4, 4, 8),
        (36, 4, 8, 16),
        (96, 1, 8, 16),
    ],
)
def test_loaders_share_the_cores(cores, workers, first, most):
    assert (first_loaders(cores, workers), most_loaders(cores, workers)) == (first, most)


@pytest.mark.parametrize("option", [{"precision": "mixed"}, {"xla": True}])
def test_what_only_gpus_can_do_is_refused_on_a_cpu(option):
    with pytest.raises(ConfigError, match="^--(precision mixed|xla): only for GPUs, and --gpus cpu is none"):
        make_plan(RunConfig(images="in", out="out", engine="emulated", gpus="cpu", **option))


def test_a_fixed_number_of_loaders_is_taken_as_it_is():
    config = RunConfig(images="in", out="out", engine="emulated", gpus="cpu", loaders=40)
    plan = make_plan(config)
    assert (plan.loaders, plan.most_loaders) == (40, 40)

"""The detector's variables, and what a checkpoint's variables tell."""

import pytest

from divainfer.errors import ModelError
from divainfer.modelfile.architecture import Architecture, check_variables, infer, settle


@pytest.mark.parametrize("resnet, convolutions", [(50, 53), (101, 104), (152, 155)])
def test_each_convolution_of_the_backbone_has_a_kernel_and_a_batch_norm(resnet, convolutions):
    variables = Architecture(resnet=resnet).variables()
    backbone = [name for name in variables if name.startswith(("conv0", "group"))]
    assert len(backbone) == 5 * convolutions
    assert len(variables) == len(backbone) + 16 + 6 + 8


def test_variables_are_those_of_the_description():
    variables = Architecture(resnet=50, num_class=15).variables()
    for name, shape in {
        "conv0/W": (7, 7, 3, 64),
        "conv0/bn/mean/EMA": (64,),
        "group0/block0/conv1/W": (1, 1, 64, 64),
        "group0/block0/convshortcut/W": (1, 1, 64, 256),
        "group3/block2/conv2/W": (3, 3, 512, 512),
        "group3/block2/conv3/bn/variance/EMA": (2048,),
        "fpn/lateral_1x1_c5/W": (1, 1, 2048, 256),
        "fpn/posthoc_3x3_p2/b": (256,),
        "rpn/class/W": (1, 1, 256, 3),
        "rpn/box/b": (12,),
        "fastrcnn/fc6/W": (12544, 1024),
        "fastrcnn/outputs/class/b": (15,),
        "fastrcnn/outputs/box/W": (1024, 60),
    }.items():
        assert variables[name] == shape
    assert "group0/block1/convshortcut/W" not in variables


@pytest.mark.parametrize("resnet", [50, 101, 152])
@pytest.mark.parametrize("class_agnostic", [False, True])
def test_variables_tell_depth_classes_and_head(resnet, class_agnostic):
    built = Architecture(resnet=resnet, num_class=81, class_agnostic=class_agnostic)
    assert infer("a", built.variables()) == (resnet, 81, class_agnostic)


def test_what_is_said_joins_what_the_variables_tell():
    found = Architecture(resnet=50, num_class=4).variables()
    architecture, unsaid = settle(
        "a", found, {"use_dilation": True, "max_size": 640}, {"max_size": 320, "resnet": None}
    )
    assert architecture == Architecture(resnet=50, num_class=4, use_dilation=True, max_size=320)
    assert unsaid == ["rpn_test_post_nms_topk"]


def test_what_nobody_told_is_named():
    architecture, unsaid = settle("a.npz", Architecture(resnet=50).variables())
    assert architecture == Architecture(resnet=50)
    assert unsaid == ["use_dilation", "rpn_test_post_nms_topk", "max_size"]


def test_what_contradicts_the_variables_is_refused():
    with pytest.raises(ModelError, match="a: num_class 81 is asked for, but its variables are those of 15"):
        settle("a", Architecture(num_class=15).variables(), {"num_class": 81})


def test_variables_of_another_network_are_refused():
    with pytest.raises(ModelError, match=r"a: the variables are not those .*\(b, c\)"):
        infer("a", {"b": (1,), "c": ()})


def test_missing_variables_are_named_and_more_are_listed():
    architecture = Architecture(resnet=50)
    found = dict(architecture.variables(), global_step=())
    assert check_variables("a", architecture, found) == ["global_step"]
    for name in ("rpn/box/b", "conv0/bn/gamma"):
        del found[name]
    with pytest.raises(ModelError, match="a: 2 of the 295 variables .* missing: conv0/bn/gamma, rpn/box/b"):
        check_variables("a", architecture, found)


def test_variables_of_another_shape_are_named():
    architecture = Architecture(resnet=50)
    found = dict(architecture.variables())
    found["rpn/box/b"] = (20,)
    with pytest.raises(ModelError, match=r"rpn/box/b is \[20\], \[12\] is wanted"):
        check_variables("a", architecture, found)


@pytest.mark.parametrize(
    "field, value", [("resnet", 34), ("num_class", 1), ("max_size", True), ("use_dilation", "yes"), ("max_size", 8)]
)
def test_values_that_cannot_be_are_refused(field, value):
    with pytest.raises(ModelError, match=field):
        Architecture(**{field: value})

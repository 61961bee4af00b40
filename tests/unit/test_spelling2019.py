"""The 2019 program's command line, as `divainfer freeze` understands it."""

import shlex

import pytest

from divainfer.model.spelling2019 import translate

SEED = """nothing nothing --mode pack --pack_model_path obj_v3.pb --pack_modelconfig_path obj_v3.config.json
--load_from obj_v3_model/ --note obj_v3 --num_class 15 --diva_class3 --rpn_batch_size 256 --frcnn_batch_size 512
--rpn_test_post_nms_topk 1000 --is_fpn --use_dilation --max_size 1920 --short_edge_size 1080"""


def test_the_seeds_own_command():
    translated = translate(shlex.split(SEED))
    assert " ".join(translated.arguments) == (
        "--out obj_v3.pb --load-from obj_v3_model/ --name obj_v3 --num-class 15 --class-list diva "
        "--rpn-test-post-nms-topk 1000 --use-dilation --max-size 1920 --short-edge-size 1080"
    )
    passed_over = [note.split()[0] for note in translated.notes]
    assert passed_over == ["--pack-modelconfig-path", "--rpn-batch-size", "--frcnn-batch-size", "--is-fpn"]
    assert not translated.refused


def test_todays_words_stay():
    words = ["--load-from", "a b/", "--out", "x_y.pb", "--num-class=4", "--features"]
    assert translate(words).arguments == words


@pytest.mark.parametrize("word", ["--use_gn", "--add_mask", "--resnet34", "--use_deformable"])
def test_other_networks_are_refused(word):
    assert len(translate([word]).refused) == 1


def test_another_mode_is_refused():
    assert translate(["--mode", "forward"]).refused == ["--mode forward (divainfer run does --mode forward)"]


def test_values_may_follow_an_equals_sign():
    assert translate(["--num_class=15", "--rpn_batch_size=256", "--note=a=b"]).arguments == [
        "--num-class=15",
        "--name=a=b",
    ]

"""Faster R-CNN with a ResNet and a feature pyramid, as a graph of TensorFlow 1.14 and 2 alike.

As a frame goes through it: `graph` normalises it, `resnet` and `fpn` make feature maps, `proposals` finds where something may
be, `roi_align` cuts these places out, `head` says what they are, `nms` keeps the best. `layers` knows the layout, `parameters`
where the weights come from.
"""

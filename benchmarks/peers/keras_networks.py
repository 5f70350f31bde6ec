"""Small networks in Keras: RegNetX-200MF with weights converted from timm, and a residual network of the same size.

RegNetX (Radosavovic 2020, arXiv 2003.13678) is built layer by layer as timm's `regnetx_002`. TensorFlow computes its
grouped convolutions slowly on a CPU, so the residual network (He 2016, arXiv 1512.03385) has plain ones.
"""

import keras
import numpy as np
from keras import layers

STEM_WIDTH, GROUP_WIDTH = 32, 8
DEPTHS, WIDTHS = (1, 1, 4, 7), (24, 56, 152, 368)
#: one basic block each: 2.3 million weights in all, as RegNetX-200MF has
RESNET_WIDTHS = (44, 88, 176, 352)


def build_regnetx_002(size: int, channels: int = 1) -> keras.Model:
    """The backbone without pooling and classifier: (size, size, channels) -> feature maps."""
    inputs = keras.Input((size, size, channels))
    x = layers.ReLU()(_convolution(inputs, "stem", STEM_WIDTH, kernel=3, stride=2))
    for stage, (depth, width) in enumerate(zip(DEPTHS, WIDTHS, strict=True), 1):
        for block in range(1, depth + 1):
            x = _block(x, f"s{stage}.b{block}", width, stride=2 if block == 1 else 1)
    return keras.Model(inputs, x, name="regnetx_002")


def build_small_resnet(size: int, channels: int = 1) -> keras.Model:
    """ResNet-10 of narrow layers: (size, size, channels) -> feature maps."""
    inputs = keras.Input((size, size, channels))
    x = layers.ReLU()(_convolution(inputs, "stem", RESNET_WIDTHS[0], kernel=3, stride=2))
    x = layers.MaxPooling2D(2)(x)
    for stage, width in enumerate(RESNET_WIDTHS, 1):
        stride, shortcut = (1 if stage == 1 else 2), x
        if stride > 1:
            shortcut = _convolution(x, f"s{stage}.downsample", width, stride=stride)
        x = layers.ReLU()(_convolution(x, f"s{stage}.conv1", width, kernel=3, stride=stride))
        x = layers.ReLU()(layers.Add()([_convolution(x, f"s{stage}.conv2", width, kernel=3), shortcut]))
    return keras.Model(inputs, x, name="small_resnet")


def load_timm_weights(model: keras.Model, file: str) -> None:
    """Copy weights from an npz file with timm's names into the backbone; every one of either side must fit."""
    weights = dict(np.load(file))
    for layer in model.layers:
        if isinstance(layer, layers.Conv2D):
            kernel = weights.pop(f"{layer.name}.conv.weight")  # (out, in / groups, rows, columns)
            layer.set_weights([kernel.transpose(2, 3, 1, 0)])
        elif isinstance(layer, layers.BatchNormalization):
            names = ("weight", "bias", "running_mean", "running_var")
            layer.set_weights([weights.pop(f"{layer.name.removesuffix('.norm')}.bn.{name}") for name in names])
    left = [name for name in weights if not name.endswith("num_batches_tracked")]
    if left:
        raise ValueError(f"weights without a layer: {', '.join(left)}")


def _convolution(x, name, width, *, kernel=1, stride=1, groups=1):
    """Convolution with PyTorch's symmetric padding, and BatchNorm with timm's settings."""
    if kernel > 1:
        x = layers.ZeroPadding2D(kernel // 2)(x)
    x = layers.Conv2D(width, kernel, stride, groups=groups, use_bias=False, name=name)(x)
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}.norm")(x)


def _block(x, name, width, *, stride):
    """Bottleneck of ratio 1 with a grouped 3 x 3 convolution."""
    shortcut = x
    if stride > 1 or x.shape[-1] != width:
        shortcut = _convolution(x, f"{name}.downsample", width, stride=stride)
    x = layers.ReLU()(_convolution(x, f"{name}.conv1", width))
    groups = width // GROUP_WIDTH
    x = layers.ReLU()(_convolution(x, f"{name}.conv2", width, kernel=3, stride=stride, groups=groups))
    return layers.ReLU()(layers.Add()([_convolution(x, f"{name}.conv3", width), shortcut]))

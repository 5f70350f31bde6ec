"""The published lessons as a plain PyTorch training loop in bfloat16, with torchvision's or MONAI's data loading.

Usage: torch_loops.py FOLDER torchvision|monai hello-world|mednist EPOCHS_FIRST EPOCHS_MORE
"""

import sys
import time

from result_output import print_result

start = time.perf_counter()
import numpy as np  # noqa: E402
import timm  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils.data import DataLoader, Dataset  # noqa: E402

folder, loader, lesson, first, more = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
torch.manual_seed(0)
data = np.load(f"{folder}/images.npz")
PLANS = {
    "hello-world": {
        "backbone": "inception_v3",
        "channels": 3,
        "batch": 8,
        "degrees": 20,
        "shift": 0.1,
        "shear": 10,
        "frozen": True,
    },
    "mednist": {
        "backbone": "resnet34",
        "channels": 1,
        "batch": 64,
        "degrees": 10,
        "shift": 0.0,
        "shear": 0,
        "frozen": False,
    },
}
plan = PLANS[lesson]


class Images(Dataset):
    """PIL images through torchvision's transforms, as in PyTorch's own tutorials."""

    def __init__(self, images, targets, transform):
        from PIL import Image

        self.images, self.targets, self.transform = [Image.fromarray(i) for i in images], targets, transform

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.transform(self.images[index]), self.targets[index]


def torchvision_data(part, *, train):
    from torchvision.transforms import v2

    shift = (plan["shift"], plan["shift"]) if plan["shift"] else None
    augmentations = [
        v2.RandomHorizontalFlip(),
        v2.RandomAffine(plan["degrees"], translate=shift, scale=(0.9, 1.1), shear=plan["shear"] or None),
    ]
    transform = v2.Compose([v2.ToImage(), *(augmentations if train else []), v2.ToDtype(torch.float32, scale=True)])
    return Images(data[f"{part}_images"], data[f"{part}_targets"], transform)


def monai_data(part, *, train):
    from monai.data import CacheDataset
    from monai.transforms import Compose, EnsureChannelFirstd, RandAffined, RandFlipd, ScaleIntensityRanged

    images = data[f"{part}_images"]
    shift_pixels = images.shape[1] * plan["shift"]
    rotate_radians, shear_radians = np.deg2rad([plan["degrees"], plan["shear"]])
    transforms = [
        EnsureChannelFirstd("image", channel_dim=-1 if images.ndim == 4 else "no_channel"),
        ScaleIntensityRanged("image", 0, 255, 0, 1),
    ]
    if train:
        transforms += [
            RandFlipd("image", prob=0.5, spatial_axis=1),
            RandAffined(
                "image",
                prob=1.0,
                rotate_range=rotate_radians,
                shear_range=(shear_radians, shear_radians),
                translate_range=shift_pixels,
                scale_range=0.1,
                padding_mode="border",
            ),
        ]
    cases = [{"image": i, "label": int(t)} for i, t in zip(images, data[f"{part}_targets"], strict=True)]
    return CacheDataset(cases, Compose(transforms), progress=False)


def batches(part, *, train):
    dataset = (torchvision_data if loader == "torchvision" else monai_data)(part, train=train)
    return DataLoader(dataset, batch_size=plan["batch"], shuffle=train, num_workers=0)


def run_epoch(*, is_training):
    network.train(is_training)
    if not trainable_backbone:
        network[0].eval()
    correct = total = 0
    for batch in train if is_training else validation:
        pixels, targets = (batch["image"].as_tensor(), batch["label"]) if isinstance(batch, dict) else batch
        with torch.set_grad_enabled(is_training), torch.autocast("cpu", torch.bfloat16):
            logits = network((pixels - 0.5) / 0.25)
            loss = criterion(logits.float(), targets)
        if is_training:
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if schedule:
                schedule.step()
        correct, total = correct + int((logits.argmax(1) == targets).sum()), total + len(targets)
    return correct / total


classes = int(data["train_targets"].max()) + 1
backbone = timm.create_model(plan["backbone"], num_classes=0, in_chans=plan["channels"])
network = nn.Sequential(
    backbone, nn.Linear(backbone.num_features, 256), nn.ReLU(), nn.Dropout(0.5), nn.Linear(256, classes)
)
criterion = nn.CrossEntropyLoss()
train, validation = batches("train", train=True), batches("validation", train=False)
ready = time.perf_counter()
seconds, accuracy = {}, 0.0
for phase, epochs in (("first", first), ("more", more)):
    begin = time.perf_counter()
    trainable_backbone = not (plan["frozen"] and phase == "first")
    backbone.requires_grad_(trainable_backbone)
    parameters = [p for p in network.parameters() if p.requires_grad]
    schedule = None
    if plan["frozen"]:
        optimizer = torch.optim.Adam(parameters, lr=1e-4)
    else:
        optimizer = torch.optim.AdamW(parameters, lr=3e-3, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=epochs * len(train) + 1)
    for _ in range(epochs):
        run_epoch(is_training=True)
        accuracy = run_epoch(is_training=False)
    seconds[phase] = time.perf_counter() - begin
print_result(
    f"torch {torch.__version__}, {loader}",
    start=start,
    ready=ready,
    precision="bfloat16",
    seconds_by_phase=seconds,
    validation_accuracy=accuracy,
)

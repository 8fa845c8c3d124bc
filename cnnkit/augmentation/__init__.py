"""Change training images at random; equal seed, epoch and image give equal pixels.

What other modules may use:

- `build_augmentation(calls, settings) -> Augmentation | None`.
- `Augmentation.names`: the operations that change single images, in the order of the config, so
  without `mixup` and `cutmix`.
- `Augmentation.change_one(image, *, seed, epoch, sha256, stop=None) -> np.ndarray`: one uint8 image
  (height, width, channels) after the first `stop` operations, or after all. It is the image that
  training sees in that epoch.
- `Augmentation.keys`, `on_host`, `in_graph` and `mixing`, for `cnnkit.data.batches`.
"""

from cnnkit.augmentation.build_augmentation import build_augmentation
from cnnkit.augmentation.operations import Augmentation

__all__ = ["Augmentation", "build_augmentation"]

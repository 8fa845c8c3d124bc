"""The config's augmentation calls and uint8 images enter; changed uint8 images leave.

What other modules may use:

- `build_augmentation(calls, settings) -> Augmentation | None`.
- `Augmentation.names`: the names of the operations that change single images, in the config's
  order; `mixup` and `cutmix` are not among them.
- `Augmentation.change_one(image, *, seed, epoch, sha256, stop=None) -> np.ndarray`: one uint8 image
  (height, width, channels) after the first `stop` operations; None for all. The same image that
  training sees in that epoch.
- `Augmentation.keys`, `on_host`, `in_graph` and `mixing`, for `cnnkit.data.batches`.
"""

from cnnkit.augmentation.build_augmentation import build_augmentation
from cnnkit.augmentation.operations import Augmentation

__all__ = ["Augmentation", "build_augmentation"]

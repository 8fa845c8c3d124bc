"""The smallest config and one with many keys, for several test files."""

SMALL = "data: {source: digits, image_size: 32}\nmodel: {layers: [flatten]}\n"
FULL = """\
x-conv: &conv {kernel_size: 3, padding: same, activation: relu}
data:
  source: shapes
  image_size: [48, 64]
  color_mode: grayscale
  resize: pad
  background: 0
  sample_range: [0, 4095]
  split: {validation: 0.2, test: 0, seed: 7, group: "^[^_]+"}
  batch_size: 16
  on_error: skip
  classes: ["no", 1e-4, 012, on]
  labels: corrected.csv
  allow_missing_classes: true
  cache: disk
  cache_limit_gb: 1.5
  shapes: {num_images: 40, image_size: 32, seed: 1}
augmentation:
  - random_flip: horizontal
  - random_rotation: [-0.1, 1e-7]
  - random_crop: {height: 48, width: 64}
  - equalization
model:
  layers:
    - conv: {<<: *conv, filters: 8, kernel_regularizer: {l2: 1e-5}}
    - residual:
        - conv: {<<: *conv, filters: 8, kernel_initializer: he_normal}
        - batch_norm
    - pool: average
    - SeparableConv2D: {filters: 4, kernel_size: [3, 5], depthwise_constraint: {max_norm: 2.5}}
    - pool: 2
    - flatten:
    - dropout: 0.5
    - dense: {units: 8, activation: relu, name: head}
  output: sigmoid
training:
  epochs: 3
  optimizer: {sgd: {momentum: 0.9}}
  schedule: {step: {every_epochs: 2}}
  warmup_epochs: 1
  early_stopping: {patience: 2}
  monitor: val_accuracy
  class_weights: {no: 1, 1e-4: 2, 012: 3, <<: {on: 4}}
  balanced_sampling: false
  label_smoothing: 0.1
  seed: 3
  deterministic: false
  tensorboard: false
"""
WITH_BACKBONE = """\
data: {source: photos, image_size: 64, classes: [a, b, c]}
augmentation: [random_flip, random_resized_crop: {scale: [0.1, 1]}, mixup: 0.2]
model:
  backbone: {name: MobileNetV2, alpha: 0.35, layer: block_13_expand}
  head: [global_pool, dropout: 0.2, dense: {units: 3, kernel_regularizer: {l2: 0.1}}]
training:
  phases:
    - {train: head, epochs: 3, data: {source: shapes, shapes: {num_images: 3}}}
    - {train: {last_layers: 3}, optimizer: adam, schedule: {step: 3}, warmup_epochs: 1}
    - {train: {gradual: 3}, early_stopping: {patience: 2}, layer_decay: 0.9, batch_norm: training}
"""

"""Wrong configs, each with all of its messages in full."""

DATA = "data: {source: digits, image_size: 32}\n"
MODEL = "model: {layers: [flatten]}\n"
SECTIONS = "source, image_size, color_mode, resize, background, sample_range, split, batch_size, "
SECTIONS += "on_error, classes, allow_missing_classes, cache, cache_limit_gb, shapes"
CONV = "filters, kernel_size, strides, padding, dilation_rate, groups, activation, use_bias, "
CONV += "kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, "
CONV += "activity_regularizer, kernel_constraint, bias_constraint, pad, name"
LAYERS = "conv, depthwise_conv, separable_conv, flatten, dense, dropout, spatial_dropout, "
LAYERS += "batch_norm, layer_norm, group_norm, activation, pool, global_pool, residual, branches, "
LAYERS += "squeeze_excite, repeat, block, "
LAYERS += "or a Keras layer by its class name"
SIZE = "a whole number of at least 1 or a pair of them"


def data(text: str) -> str:
    """Return a config whose data section has one more line: line 4."""
    return f"data:\n  source: digits\n  image_size: 32\n  {text}\n{MODEL}"


def layer(text: str) -> str:
    """Return a config whose only layer is in line 4, column 7."""
    return f"{DATA}model:\n  layers:\n    - {text}\n"


def training(text: str) -> str:
    """Return a config with one line of training: line 4."""
    return f"{DATA}{MODEL}training:\n  {text}\n"


def backbone(text: str, image_size: str = "64") -> str:
    """Return a config whose backbone has its keys in line 5, from column 14 on."""
    return f"data:\n  source: a\n  image_size: {image_size}\nmodel:\n  backbone: {{{text}}}\n"


ZOOM = "a number above -1 and below 1, or a pair [lower, upper] above -1 and up to 1"
BORDER = "a width in pixels, one for each of the 2 axes, or a pair [before, after] for each of "
BORDER += "the 2 axes"
UNTRAINED = "there are no ImageNet weights of MobileNet"
OTHERWISE = "or set weights: none or the path of a file."
PROBED = "linear_probe fits only the output layer, so the layers of the head must have no weights "
PROBED += "and form a single chain. Remove "
PROBE = "training: {phases: [train: linear_probe]}\n"
HEAD = ", or use train: head in training.phases."
TABLE = [
    (
        backbone("name: mobilenetv2"),
        ["5:20  model.backbone.name  expected the name of a network (`cnnkit models` lists them) "
         'or null, received "mobilenetv2". Did you mean MobileNetV2?'],
    ),
    (
        backbone("name: Xception, alpha: 0.5, minimalistic: false", "[64, 80]"),
        [
            "3:15  data.image_size  Xception needs images of at least 71 x 71 pixels, but these "
            "are 64 x 80. Set 71 or more, or use another network.",
            "5:30  model.backbone.alpha  Xception has no alpha. Remove it, or use another "
            "network: MobileNet, MobileNetV2, MobileNetV3Small, MobileNetV3Large.",
            "5:42  model.backbone.minimalistic  Xception has no minimalistic. Remove it, or use "
            "another network: MobileNetV3Small, MobileNetV3Large.",
        ],
    ),
    (
        backbone("name: MobileNet, alpha: 0.3, depth_multiplier: 2"),
        [
            f"5:38  model.backbone.alpha  {UNTRAINED} with alpha: 0.3, only with 0.25, 0.5, 0.75, "
            "1.0. Set one of these, or set weights: none or the path of a file.",
            f"5:61  model.backbone.depth_multiplier  {UNTRAINED} with depth_multiplier: 2, only "
            "with 1. Set one of these, or set weights: none or the path of a file.",
        ],
    ),
    (
        backbone("name: MobileNetV3Large, minimalistic: true, alpha: 0.75"),
        [f"5:65  model.backbone.alpha  {UNTRAINED}V3Large with alpha: 0.75 and minimalistic: true "
         f"together. Remove one of them, {OTHERWISE}"],
    ),
    (
        f"{DATA}model:\n  backbone: {{run: a}}\n  head:\n    - dense: 8\n    - residual: [dropout: "
        f"0.5]\n    - flatten\n    - block: norm\n  blocks: {{norm: [batch_norm]}}\n{PROBE}",
        [
            f"5:7  model.head[0]  {PROBED}dense{HEAD}",
            f"6:7  model.head[1]  {PROBED}residual{HEAD}",
            f"9:19  model.blocks.norm[0]  {PROBED}batch_norm{HEAD} "
            "(In the block norm, used at model.head[3].block.)",
        ],
    ),
    (
        layer("conv: {filters: 4, kernel_size: 3, pad: [1]}"),
        [f"4:47  model.layers[0].conv.pad  expected {BORDER}, received [1]."],
    ),
    (
        layer("ZeroPadding2D: [1, 2, 3]"),
        [f"4:22  model.layers[0].ZeroPadding2D  expected {BORDER}, received [1, 2, 3]."],
    ),
    (
        layer("Cropping1D: {cropping: [[1, 2]]}"),
        ["4:30  model.layers[0].Cropping1D.cropping  expected a width, or a pair [before, after], "
         "received [[1, 2]]."],
    ),
    (
        layer("group_norm: 0"),
        ["4:19  model.layers[0].group_norm.groups  expected a whole number of at least 1, or -1 "
         "for as many groups as channels, received 0."],
    ),
    (
        layer("group_norm: -2"),
        ["4:19  model.layers[0].group_norm.groups  expected a whole number of at least 1, or -1 "
         "for as many groups as channels, received -2."],
    ),
    (
        layer("PReLU: {shared_axes: [-1]}"),
        ["4:28  model.layers[0].PReLU.shared_axes  expected an axis or a list of axes, counted "
         "from 1 or null, received [-1]."],
    ),
    (
        layer("batch_norm: {axis: [1, 3]}"),
        ["4:26  model.layers[0].batch_norm.axis  expected a whole number, received [1, 3]."],
    ),
    (
        layer("ReLU: {max_value: -1}"),
        ["4:25  model.layers[0].ReLU.max_value  expected a number of at least 0 or null, "
         "received -1."],
    ),
    (
        layer("LeakyReLU: -0.1"),
        ["4:18  model.layers[0].LeakyReLU.negative_slope  expected a number of at least 0, "
         "received -0.1."],
    ),
    (
        layer("flatten: {name: image}"),
        ["4:23  model.layers[0].flatten.name  cnnkit has a layer image of its own. Use another "
         "name."],
    ),
    (
        layer("flatten: {name: a/b}"),
        ["4:23  model.layers[0].flatten.name  the name a/b must not contain a slash. Use _ "
         "instead."],
    ),
    (
        layer("{flatten: {name: dense_1}}\n    - dense: 4"),
        ["5:7  model.layers[1]  another layer has the name dense_1. Rename one of them, or remove "
         "its name."],
    ),
    (
        DATA + "model:\n  backbone: {name: MobileNetV2}\n  head: [flatten: {name: a}, "
        "dense: {units: 2, name: a}]\n",
        ["4:54  model.head[1].dense.name  another layer has the name a. Rename one of them, or "
         "remove its name."],
    ),
    ("3", ["1:1  expected a config with the keys data and model, received 3."]),
    ("- a", ['1:1  expected a config with the keys data and model, received ["a"].']),
    (
        "{}",
        [
            "1:1  data  required, but missing. Add data: a section with source and image_size.",
            "1:1  model  required, but missing. Add model: a section with layers.",
        ],
    ),
    (
        DATA + "model:\ntrainin: 3\n",
        [
            "2:1  model.layers  required, but missing. Add layers: a list of at least one layer.",
            "3:1  trainin  unknown key. Did you mean training? "
            "Allowed: data, augmentation, model, training.",
        ],
    ),
    (
        data("batchsize: 32"),
        [f"4:3  data.batchsize  unknown key for data. Did you mean batch_size? "
         f"Allowed: {SECTIONS}."],
    ),
    (
        f"data: 3\n{MODEL}",
        [f"1:7  data  expected a section with the keys {SECTIONS}, received 3."],
    ),
    (
        data("batch_size: 0"),
        ["4:15  data.batch_size  expected a whole number from 1 to 1000000, received 0."],
    ),
    (
        data("batch_size: true"),
        ["4:15  data.batch_size  expected a whole number from 1 to 1000000, received true."],
    ),
    (
        data('batch_size: "3"'),
        ['4:15  data.batch_size  expected a whole number from 1 to 1000000, received "3".'],
    ),
    (
        data("batch_size: 1e2"),
        ["4:15  data.batch_size  expected a whole number from 1 to 1000000, received 1e2."],
    ),
    (
        data("background: 256"),
        ["4:15  data.background  expected a whole number from 0 to 255, received 256."],
    ),
    (
        data("color_mode: grey"),
        ['4:15  data.color_mode  expected rgb or grayscale, received "grey".'],
    ),
    (
        data("resize: strech"),
        ['4:11  data.resize  expected stretch, crop or pad, received "strech". '
         "Did you mean stretch?"],
    ),
    (
        data("allow_missing_classes: no"),
        ['4:26  data.allow_missing_classes  expected true or false, received "no".'],
    ),
    (
        data("split: {test: 1, seed: -1}"),
        [
            "4:17  data.split.test  expected a number of at least 0 and below 1, received 1.",
            "4:26  data.split.seed  expected a whole number from 0 to 4294967295, received -1.",
        ],
    ),
    (
        data("split: {test: .nan}"),
        ["4:17  data.split.test  expected a number of at least 0 and below 1, received .nan."],
    ),
    (
        data("split: {validation: 0.5, test: 0.5}"),
        ["4:10  data.split  validation and test together take 1 of the images, which leaves none "
         "to train on. Keep their sum below 1."],
    ),
    (
        data("shapes: {num_images: 10}"),
        ['4:3  data.shapes  goes only with source: shapes, but source is "digits". '
         "Remove this section."],
    ),
    (
        f"data: {{source: true, image_size: [32]}}\n{MODEL}",
        [
            "1:16  data.source  expected a folder, a CSV, JSONL or TFRecord file, or a built-in "
            "name, received true. "
            'Write "true" in quotes.',
            "1:34  data.image_size  expected [height, width] in pixels, or one number for a "
            "square, received [32].",
        ],
    ),
    (
        f"data: {{source: '${{CNNKIT_NO_SUCH}}/a', image_size: 32}}\n{MODEL}",
        ["1:16  data.source  the environment variable CNNKIT_NO_SUCH is not set. Set it, or write "
         "the path itself."],
    ),
    (
        layer("convv: {filters: 3}"),
        [f'4:7  model.layers[0].convv  unknown layer "convv". Did you mean conv? '
         f"Allowed: {LAYERS}."],
    ),
    (
        layer("flaten"),
        [f'4:7  model.layers[0]  unknown layer "flaten". Did you mean flatten? '
         f"Allowed: {LAYERS}."],
    ),
    (
        layer("Lambda: {function: x}"),
        [f'4:7  model.layers[0].Lambda  unknown layer "Lambda". Allowed: {LAYERS}.'],
    ),
    (
        layer("conv: {filters: ten, kernal_size: 3}"),
        [
            "4:23  model.layers[0].conv.filters  expected a whole number of at least 1, "
            'received "ten".',
            "4:28  model.layers[0].conv.kernal_size  unknown argument for conv. Did you mean "
            f"kernel_size? Allowed: {CONV}.",
        ],
    ),
    (
        layer("conv: {filters: 1, kernel_size: [3, 3, 3], padding: sam}"),
        [
            f"4:39  model.layers[0].conv.kernel_size  expected {SIZE}, received [3, 3, 3].",
            '4:59  model.layers[0].conv.padding  expected same or valid, received "sam". '
            "Did you mean same?",
        ],
    ),
    (
        layer("dense: 3.0"),
        ["4:14  model.layers[0].dense.units  expected a whole number of at least 1, received 3.0."],
    ),
    (
        layer("dropout: 1"),
        ["4:16  model.layers[0].dropout.rate  expected a number of at least 0 and below 1, "
         "received 1."],
    ),
    (
        layer("dropout"),
        ["4:7  model.layers[0].dropout.rate  required, but missing. Add rate: a number of at least "
         "0 and below 1."],
    ),
    (
        layer("flatten: 3"),
        ["4:16  model.layers[0].flatten  flatten takes no value, received 3. Remove it."],
    ),
    (
        layer("conv:\n      filters: 3"),
        ["4:7  model.layers[0]  expected one layer name, received the keys conv, filters. "
         "Indent filters below conv."],
    ),
    (
        layer("{flatten: {}, dropout: 0.5}"),
        ["4:7  model.layers[0]  expected one layer name, received the keys flatten, dropout. "
         "Keep one layer."],
    ),
    (
        layer("7"),
        ["4:7  model.layers[0]  expected a layer: a name, or a name with its arguments, "
         "received 7."],
    ),
    (
        layer("residual: [{dropout: 0.5}, {residual: [{dense: 0}]}]"),
        ["4:54  model.layers[0].residual[1].residual[0].dense.units  expected a whole number of at "
         "least 1, received 0."],
    ),
    (
        layer("residual: flatten"),
        ['4:17  model.layers[0].residual.layers  expected a list of at least one layer, '
         'received "flatten".'],
    ),
    (
        layer("pool: {type: mean, pool_size: 0}"),
        [
            '4:20  model.layers[0].pool.type  expected max or average, received "mean".',
            f"4:37  model.layers[0].pool.pool_size  expected {SIZE}, received 0.",
        ],
    ),
    (
        layer("dense: {units: 1, kernel_regularizer: l3, bias_regularizer: {l2: {l1: 1}}}"),
        [
            "4:45  model.layers[0].dense.kernel_regularizer  expected the name of a regulariser or "
            'null, received "l3". Allowed: l1, l1_l2, l2, orthogonal_regularizer.',
            "4:73  model.layers[0].dense.bias_regularizer.l2.l1  unknown argument for l2. "
            "Allowed: l2.",
        ],
    ),
    (
        layer("dense: {units: 1, kernel_constraint: {max_nrm: 2}}"),
        ["4:45  model.layers[0].dense.kernel_constraint.max_nrm  unknown constraint. Did you mean "
         "max_norm? Allowed: max_norm, min_max_norm, non_neg, unit_norm."],
    ),
    (
        layer("dense: {units: 1, kernel_initializer: constant}"),
        ["4:25  model.layers[0].dense.kernel_initializer.constant.value  required, but missing. "
         "Add value: a number."],
    ),
    (
        f"{DATA}{MODEL}augmentation:\n  - random_flip: up\n  - random_crop: {{height: 1}}\n",
        [
            "4:18  augmentation[0].random_flip.mode  expected horizontal, vertical or "
            'horizontal_and_vertical, received "up".',
            "5:5  augmentation[1].random_crop.width  required, but missing. Add width: a whole "
            "number of at least 1.",
        ],
    ),
    (
        f"{DATA}{MODEL}augmentation: random_flip\n",
        ['3:15  augmentation  expected a list of augmentations, received "random_flip".'],
    ),
    (
        f"{DATA}model: {{layers: []}}\n",
        ["2:17  model.layers  expected a list of at least one layer, received []."],
    ),
    (
        training("epochs: ten"),
        ['4:11  training.epochs  expected a whole number of at least 1, received "ten".'],
    ),
    (
        training("optimizer: adm"),
        ['4:14  training.optimizer  unknown optimizer "adm". Did you mean adam? '
         "Allowed: adam, sgd, adamw, rmsprop."],
    ),
    (
        training("optimizer: {sgd: {learning_rate: 0, momentum: 2}}"),
        [
            "4:36  training.optimizer.sgd.learning_rate  expected a number above 0, received 0.",
            "4:49  training.optimizer.sgd.momentum  expected a number from 0 to 1, received 2.",
        ],
    ),
    (
        training("schedule: step"),
        ["4:3  training.schedule.step.every_epochs  required, but missing. Add every_epochs: a "
         "whole number of at least 1."],
    ),
    (
        training("schedule: {constant: {final_fraction: 0}}"),
        ["4:25  training.schedule.constant.final_fraction  unknown argument for constant. "
         "It takes none."],
    ),
    (
        training("early_stopping: {}"),
        ["4:3  training.early_stopping.patience  required, but missing. Add patience: a whole "
         "number of at least 1."],
    ),
    (
        training("early_stopping: 5"),
        ["4:19  training.early_stopping  expected a section with the keys patience, received 5."],
    ),
    (
        training("monitor: val_acc"),
        ["4:12  training.monitor  expected val_loss, val_accuracy, train_loss or train_accuracy, "
         'received "val_acc". Did you mean val_accuracy?'],
    ),
    (
        training("class_weights: {no: 0}"),
        ["4:23  training.class_weights.no  expected a number above 0, received 0."],
    ),
    (
        training("class_weights: 3"),
        ["4:18  training.class_weights  expected auto, effective_number, null, or a weight above 0 "
         "for each class, received 3."],
    ),
    (
        "data: {source: digits, image_size: 32, batch_size: 1}\n" + MODEL
        + "augmentation: [random_flip, mixup]\n",
        ["3:29  augmentation[1]  mixup mixes the images of a batch, but data.batch_size is 1. "
         "Set a larger batch_size, or remove mixup."],
    ),
    (
        training("warmup_epochs: 21"),
        ["4:18  training.warmup_epochs  the warm-up takes 21 epochs, but the whole training has "
         "only 20. Shorten the warm-up or train longer."],
    ),
    (
        training("{class_weights: auto, balanced_sampling: true}"),
        ["4:44  training.balanced_sampling  balanced_sampling already shows all classes equally "
         "often; together with class_weights, rare classes would count twice. Remove one of the "
         "two."],
    ),
    (
        data("split: {group: '('}"),
        ["4:18  data.split.group  expected a regular expression or null, received \"(\". "
         "Missing ), unterminated subpattern at position 0."],
    ),
    (
        data("classes: [cat, dog, cat]"),
        ['4:12  data.classes  expected a list of at least two class names, or a text file with one '
         'class per line, received ["cat", "dog", "cat"]. cat is given twice.'],
    ),
    (
        f"{DATA}{MODEL}augmentation:\n"
        "  - random_zoom: -3\n"
        "  - random_zoom: 1\n"
        "  - random_zoom: {height_factor: 0, width_factor: [-1, 0]}\n"
        "  - random_rotation: 1.5\n"
        "  - random_contrast: {factor: [0.1, 7]}\n"
        "  - random_perspective: {factor: 0.5, scale: 2}\n"
        "  - random_gaussian_blur: {kernel_size: [3, 4]}\n"
        "  - equalization: {value_range: [255, 0]}\n"
        "  - rand_augment: {value_range: [1, 1]}\n"
        "  - random_resized_crop: {scale: [0.5, 0.1]}\n"
        "  - cutmix: -1\n",
        [
            f"4:18  augmentation[0].random_zoom.height_factor  expected {ZOOM}, received -3.",
            f"5:18  augmentation[1].random_zoom.height_factor  expected {ZOOM}, received 1.",
            f"6:51  augmentation[2].random_zoom.width_factor  expected {ZOOM} or null, received "
            "[-1, 0].",
            "7:22  augmentation[3].random_rotation.factor  expected a number from -1 to 1, or a "
            "pair of such numbers [lower, upper], received 1.5.",
            "8:31  augmentation[4].random_contrast.factor  expected a number from 0 to 1, or a "
            "pair of such numbers [lower, upper], received [0.1, 7].",
            "9:46  augmentation[5].random_perspective.scale  expected a number from 0 to 1, "
            "received 2.",
            "10:41  augmentation[6].random_gaussian_blur.kernel_size  expected an odd whole number "
            "of at least 1 or a pair of them, received [3, 4].",
            "11:33  augmentation[7].equalization.value_range  expected a pair of numbers [lower, "
            "upper], received [255, 0]. Write the smaller number first.",
            "12:33  augmentation[8].rand_augment.value_range  expected a pair of numbers [lower, "
            "upper], received [1, 1]. The two must differ.",
            "13:34  augmentation[9].random_resized_crop.scale  expected a pair of numbers above 0 "
            "and at most 1, received [0.5, 0.1]. Write the smaller number first.",
            "14:13  augmentation[10].cutmix.factor  expected a number from 0 to 1, or a pair of "
            "such numbers [lower, upper], received -1.",
        ],
    ),
    (
        layer("dense: {units: 2, kernel_regularizer: {l2: -1}}"),
        ["4:50  model.layers[0].dense.kernel_regularizer.l2.l2  expected a number of at least 0, "
         "received -1."],
    ),
    (layer("dropout: 1.5"),
     ["4:16  model.layers[0].dropout.rate  expected a number of at least 0 and below 1, received "
      "1.5."]),
    (
        training("optimizer: {adam: {loss_scale_factor: 0}}"),
        ["4:41  training.optimizer.adam.loss_scale_factor  expected a number above 0 or null, "
         "received 0."],
    ),
]  # fmt: skip

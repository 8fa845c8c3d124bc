"""Wrong configs, each with all of its messages in full."""

from config_parts import DATA, MODEL, SECTIONS, ZOOM, data, training
from wrong_models import MODELS

TABLE = [
    *MODELS,
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
            "Allowed: data, augmentation, model, training, runtime, search.",
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
        training("epochs: ten"),
        ['4:11  training.epochs  expected a whole number of at least 1, received "ten".'],
    ),
    (
        training("optimizer: adm"),
        ['4:14  training.optimizer  unknown optimizer "adm". Did you mean adam? '
         "Allowed: adam, sgd, adamw, rmsprop, muon."],
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
        ["4:12  training.monitor  expected val_loss, val_accuracy, train_loss, train_accuracy "
         'or epoch, received "val_acc". Did you mean val_accuracy?'],
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
        training("optimizer: {adam: {loss_scale_factor: 0}}"),
        ["4:41  training.optimizer.adam.loss_scale_factor  expected a number above 0 or null, "
         "received 0."],
    ),
]  # fmt: skip

"""Wrong layers, heads and backbones, each with all of its messages in full."""

from config_parts import (
    BORDER,
    CONV,
    DATA,
    HEAD,
    LAYERS,
    OTHERWISE,
    PROBE,
    PROBED,
    SIZE,
    UNTRAINED,
    backbone,
    layer,
)

MODELS = [
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
        f"{DATA}model: {{layers: []}}\n",
        ["2:17  model.layers  expected a list of at least one layer, received []."],
    ),
    (
        layer("dense: {units: 2, kernel_regularizer: {l2: -1}}"),
        ["4:50  model.layers[0].dense.kernel_regularizer.l2.l2  expected a number of at least 0, "
         "received -1."],
    ),
    (layer("dropout: 1.5"),
     ["4:16  model.layers[0].dropout.rate  expected a number of at least 0 and below 1, received "
      "1.5."]),
]  # fmt: skip

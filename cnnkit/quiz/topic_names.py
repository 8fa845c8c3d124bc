"""The topics of the exercises, in the order of a course; light, because `--help` lists them."""

TOPIC_NAMES = {
    "convolution": "a small matrix and a kernel, worked out by hand",
    "output-size": "the shape that a layer or a small network returns",
    "padding": "valid, same and explicit borders",
    "stride": "steps larger than one",
    "pooling": "max, average and global pooling of a small matrix",
    "parameters": "weights and multiply-adds of layers and small networks",
    "receptive-field": "the part of the image that one number sees",
    "confusion-matrix": "accuracy, recall, precision, F1 of a small matrix",
    "transfer": "which layers learn in which phase, and how many weights",
}

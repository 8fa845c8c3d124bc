"""Images -> answers: in order, in a file or on a screen, resumed, and in parts."""

from cnnkit.prediction.find_images import find_images, is_one_image, name_of, pixels_of
from cnnkit.prediction.predict_images import Prediction, predict
from cnnkit.prediction.read_ahead import read_ahead

__all__ = [
    "Prediction",
    "find_images",
    "is_one_image",
    "name_of",
    "pixels_of",
    "predict",
    "read_ahead",
]

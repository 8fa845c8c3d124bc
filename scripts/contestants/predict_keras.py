"""Print the probabilities of an image from a .keras file: what one writes without cnnkit.

Called with: MODEL.keras IMAGE HEIGHT WIDTH RGB|L
"""

import json
import sys

import numpy as np
import tensorflow as tf
from PIL import Image, ImageOps

model_path, image_path, height, width, mode = sys.argv[1:]
model = tf.keras.models.load_model(model_path)
height, width = int(height), int(width)
image = Image.open(image_path)
image.draft(None, (2 * max(height, width),) * 2)  # a large JPEG is decoded smaller: faster
image = ImageOps.exif_transpose(image).convert(mode)
image = image.resize((width, height), Image.Resampling.BILINEAR)
pixels = np.asarray(image).reshape(1, height, width, -1)
print(json.dumps(model.predict(pixels, verbose=0)[0].tolist()))

"""Print the probabilities of an image from a .tflite file, with as little code as possible.

Called with: MODEL.tflite IMAGE HEIGHT WIDTH RGB|L
"""

import json
import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image, ImageOps

model_path, image_path, height, width, mode = sys.argv[1:]
interpreter = Interpreter(model_path)
interpreter.allocate_tensors()
height, width = int(height), int(width)
image = Image.open(image_path)
image.draft(None, (2 * max(height, width),) * 2)  # a large JPEG is decoded smaller: faster
image = ImageOps.exif_transpose(image).convert(mode)
image = image.resize((width, height), Image.Resampling.BILINEAR)
pixels = np.asarray(image).reshape(1, height, width, -1)
interpreter.set_tensor(interpreter.get_input_details()[0]["index"], pixels)
interpreter.invoke()
print(json.dumps(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0].tolist()))

"""Ask about image files over the REST interface of TensorFlow Serving.

    python tensorflow_serving.py MODEL photo.jpg another.jpg

SERVER is `cnnkit serve`, or TensorFlow Serving with the SavedModel that `cnnkit export` writes.
"""

import base64
import json
import os
import sys
import urllib.request

SERVER = os.environ.get("SERVER", "http://127.0.0.1:8000")


def predictions(model: str, images: list[bytes]) -> list[dict]:
    """Return `probabilities` and `class_name` for each encoded image."""
    instances = [{"image_bytes": {"b64": base64.b64encode(image).decode()}} for image in images]
    question = json.dumps({"signature_name": "serving_bytes", "instances": instances})
    address = f"{SERVER}/v1/models/{model}:predict"
    with urllib.request.urlopen(address, question.encode(), timeout=60) as answer:
        return json.load(answer)["predictions"]


def main() -> None:
    """Print a line per file."""
    model, *paths = sys.argv[1:]
    images = []
    for path in paths:
        with open(path, "rb") as file:
            images.append(file.read())
    for path, answer in zip(paths, predictions(model, images), strict=True):
        print(f"{path}  {answer['class_name']} {max(answer['probabilities']):.4f}")


if __name__ == "__main__":
    main()

"""Ask a server of `cnnkit serve` about image files, with nothing but Python.

python classify.py photo.jpg another.jpg
SERVER=http://192.168.1.5:8000 CNNKIT_API_KEY=... python classify.py photo.jpg
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request

SERVER = os.environ.get("SERVER", "http://127.0.0.1:8000")
API_KEY = os.environ.get("CNNKIT_API_KEY", "")


def classify(image: bytes, topk: int = 1) -> dict:
    """Return the answer for one encoded image; it has an `error` if the image cannot be read."""
    headers = {"Content-Type": "application/octet-stream"}
    if API_KEY:
        headers["Authorization"] = f"Bearer {API_KEY}"
    request = urllib.request.Request(f"{SERVER}/predict?topk={topk}", image, headers)
    while True:
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["predictions"][0]
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 429:  # the queue of the server is full
                    time.sleep(int(error.headers["Retry-After"]))
                    continue
                return json.load(error)


def main() -> int:
    """Print a line per file, and return 1 if one of them got no answer."""
    failed = 0
    for path in sys.argv[1:]:
        with open(path, "rb") as file:
            answer = classify(file.read())
        if "error" in answer:
            print(f"{path}  ERROR  {answer['error']}")
            failed = 1
        elif "reason" in answer:  # a calibrated model does not know
            print(f"{path}  {answer['prediction']}  ({answer['reason']})")
        else:
            print(f"{path}  {answer['prediction']} {answer['probability']:.4f}")
    return failed


if __name__ == "__main__":
    sys.exit(main())

"""A server as one writes it in ten minutes: FastAPI, Pillow, LiteRT, and a lock around the model.

python serve_plain.py model.tflite PORT
"""

from __future__ import annotations

import io
import sys
import threading

import numpy as np
import uvicorn
from ai_edge_litert.interpreter import Interpreter
from fastapi import FastAPI, Request
from PIL import Image
from starlette.concurrency import run_in_threadpool

app = FastAPI()
interpreter = Interpreter(sys.argv[1])
interpreter.allocate_tensors()
place, answer = interpreter.get_input_details()[0], interpreter.get_output_details()[0]["index"]
_, HEIGHT, WIDTH, _ = place["shape"]
one_at_a_time = threading.Lock()  # the interpreter is for one thread


@app.get("/ready")
async def ready() -> dict:
    return {}


@app.post("/predict")
async def predict(request: Request) -> dict:
    return await run_in_threadpool(probabilities, await request.body())


def probabilities(content: bytes) -> dict:
    with one_at_a_time:
        picture = Image.open(io.BytesIO(content))
        picture.draft("RGB", (2 * WIDTH, 2 * HEIGHT))
        picture = picture.convert("RGB").resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR)
        interpreter.set_tensor(place["index"], np.asarray(picture)[np.newaxis])
        interpreter.invoke()
        return {"probabilities": interpreter.get_tensor(answer)[0].tolist()}


uvicorn.run(app, port=int(sys.argv[2]), log_level="error")

# cnnkit in a container: `docker build -t cnnkit .`, with a GPU `docker build --target gpu -t cnnkit:gpu .`
# docs/docker.md says how to run it.

FROM python:3.12-slim-bookworm AS wheel
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY cnnkit cnnkit
COPY configs configs
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.12-slim-bookworm AS base
# For example --build-arg EXTRAS=[mlflow,onnx]
ARG EXTRAS=""
# Only this step needs the wheel, so it is not part of the image.
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    pip install --no-cache-dir "$(echo /wheels/*.whl)${EXTRAS}"
# Not root: what a container writes into your folders belongs to the user 1000.
RUN useradd --create-home --uid 1000 cnnkit \
    && mkdir /cache /work \
    && chown cnnkit:cnnkit /cache /work
ENV CNNKIT_CACHE=/cache
VOLUME /cache
WORKDIR /work
USER 1000:1000
ENTRYPOINT ["cnnkit"]
CMD ["--help"]

FROM base AS gpu
USER 0:0
# CUDA and cuDNN as Python packages; the driver is the host's, by the NVIDIA Container Toolkit.
RUN version="$(python -c 'from importlib.metadata import version; print(version("tensorflow"))')" \
    && pip install --no-cache-dir "tensorflow[and-cuda]==${version}"
USER 1000:1000

# Last, so that it is built by default.
FROM base AS cpu

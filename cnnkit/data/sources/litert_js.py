"""LiteRT.js, which runs a `.tflite` in a browser, as published on npm."""

from __future__ import annotations

from cnnkit.data.sources.download import RemoteFile

LITERT_JS_VERSION = "2.5.3"
_NPM = "https://registry.npmjs.org/@litertjs"
# The sha256 are those of the archives with the sha512 that npm states for this version.
LITERT_JS_CORE = RemoteFile(
    url=f"{_NPM}/core/-/core-{LITERT_JS_VERSION}.tgz",
    size=11_817_097,
    sha256="a97660833e9e7e1063c95e12016718881240b14f7438728a2f62785e912d30fd",
    name=f"litertjs-core-{LITERT_JS_VERSION}.tgz",
)
LITERT_JS_LOADER = RemoteFile(
    url=f"{_NPM}/wasm-utils/-/wasm-utils-{LITERT_JS_VERSION}.tgz",
    size=4_698,
    sha256="ce2a1f8379c067be49e59752e5a7f40db6be09f6e497f0f11e59f17b515366a7",
    name=f"litertjs-wasm-utils-{LITERT_JS_VERSION}.tgz",
)
LITERT_JS_FILES = (LITERT_JS_CORE, LITERT_JS_LOADER)

"""Bodies of requests: what comes out is what was put in, and anything else is a refusal."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnkit.serving.refusal import Refusal
from cnnkit.serving.request_images import decoded_base64, images_in

_TYPES = ["", "image/png", "application/json", "text/plain", "multipart/form-data; boundary=b"]
_FORM = "multipart/form-data; boundary=b"


def form_of(images, boundary=b"b"):
    head = b'Content-Disposition: form-data; name="a"; filename="f"\r\n\r\n'
    parts = [b"--" + boundary + b"\r\n" + head + image + b"\r\n" for image in images]
    return b"".join([*parts, b"--" + boundary + b"--\r\n"])


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=5))
def test_forms_and_json_give_the_same_bytes(images):
    boundary = b"a-boundary-that-is-in-no-image"
    content_type = f"multipart/form-data; boundary={boundary.decode()}"
    assert images_in(form_of(images, boundary), content_type).images == images
    texts = [base64.b64encode(image).decode() for image in images]
    body = json.dumps({"images": texts}).encode()
    assert images_in(body, "application/json").images == images


@given(st.binary(max_size=300), st.sampled_from(_TYPES))
def test_any_body_gives_images_or_a_refusal(body, content_type):
    try:
        found = images_in(body, content_type)
    except Refusal as refusal:
        assert refusal.status in (400, 415, 422) and str(refusal)
    else:
        assert len(found.names) == len(found.images)


@given(st.integers(0, 199), st.binary(max_size=3), st.integers(0, 199))
def test_a_damaged_form_gives_images_or_a_refusal(place, change, end):
    whole = form_of([b"one", b"two"])
    damaged = whole[:place] + change + whole[place + 1 : max(end, 1)]
    try:
        images_in(damaged, _FORM)
    except Refusal as refusal:
        assert refusal.status == 400


def test_the_name_of_a_file_is_kept_and_a_form_that_is_cut_off_is_refused():
    body = form_of([b"x"]).replace(b'"f"', '"größe.png"'.encode())
    assert images_in(body, _FORM).names == ["größe.png"]
    for length in range(len(body) - 4):
        with pytest.raises(Refusal) as refused:
            images_in(body[:length], _FORM)
        assert refused.value.status == 400


def test_base64_with_line_breaks_without_padding_and_as_a_data_url():
    for text in ("eA==", "eA", "e\nA=\n=", "data:image/png;base64,eA=="):
        assert decoded_base64(text, "images[0]") == b"x"
    for text in ("e", "e*==", "é", 5, None, {}):
        with pytest.raises(Refusal, match=r"images\[0\]"):
            decoded_base64(text, "images[0]")

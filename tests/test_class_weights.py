"""The weights of classes against numbers computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from cnnkit.errors import UsageError
from cnnkit.training.class_weights import class_weights

NAMES = ("cat", "dog", "owl")


def test_auto_is_scikit_learns_balanced():
    labels = np.repeat([0, 1, 2], [50, 30, 4])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    assert np.allclose(class_weights("auto", labels, NAMES), expected)


def test_effective_number_by_hand():
    # With 1 and 2 images: (1 - b) / (1 - b) = 1 and (1 - b) / (1 - b^2) = 1 / 1.999, over a sum of
    # 1 * 1 + 2 / 1.999 = 2.0005..., times 3 images.
    total = 1 + 2 / 1.999
    expected = [3 / total, 3 / 1.999 / total]
    assert np.allclose(class_weights("effective_number", [0, 1, 1], NAMES[:2]), expected)


@pytest.mark.parametrize("rule", ["auto", "effective_number"])
def test_the_average_weight_of_an_image_is_one(rule):
    labels = np.repeat([0, 1, 2], [5000, 300, 12])
    assert class_weights(rule, labels, NAMES)[labels].mean() == pytest.approx(1)


def test_effective_number_is_gentler_than_inverse_frequency():
    labels = np.repeat([0, 1], [40_000, 12])
    gentle = class_weights("effective_number", labels, NAMES[:2])
    assert 1 < gentle[1] / gentle[0] < 100
    assert class_weights("auto", labels, NAMES[:2])[1] > 1000


def test_named_weights_and_an_unknown_name():
    assert class_weights({"dog": 2.5}, [0, 1, 2], NAMES).tolist() == [1, 2.5, 1]
    with pytest.raises(UsageError, match="names the class 'dgo'.*Did you mean dog"):
        class_weights({"dgo": 2}, [0, 1, 2], NAMES)

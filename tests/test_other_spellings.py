"""Names that look the same: accents of classes and files spelt in one or in two characters."""

from __future__ import annotations

import unicodedata

import pytest
from images import data_config, write_classes

from cnnkit.data.other_spellings import PathSpelling, matching_spellings
from cnnkit.data.scored_images import find_images_for
from cnnkit.data.sources.listing import find_images
from cnnkit.errors import UsageError, did_you_mean

NFC, NFD = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
NOTE = f"Only the spelling of an accent differs, so it is the same class: {NFC} (Unicode NFC"


@pytest.fixture
def photos(tmp_path):
    """Return a folder with a class whose name is spelt as on a Mac."""
    return write_classes(tmp_path / "photos", {NFD: 2, "thé": 2})


def labels(source):
    return sorted({record.label for record in source.records})


def test_other_data_is_scored_with_the_spelling_of_the_model(photos):
    found = find_images_for(photos, (NFC, "thé"), data_config("x"))
    assert labels(found) == [NFC, "thé"]
    assert found.notes[0].startswith(NOTE)


def test_data_classes_decides_the_spelling(photos):
    source = find_images(data_config(photos, classes=(NFC, "thé")))
    assert labels(source) == [NFC, "thé"]
    assert [note[: len(NOTE)] for note in source.notes] == [NOTE]


def test_train_decides_the_spelling_of_the_other_splits(tmp_path):
    write_classes(tmp_path / "train", {NFC: 2, "thé": 2})
    write_classes(tmp_path / "val", {NFD: 2, "thé": 2}, seed=9)
    source = find_images(data_config(tmp_path))
    assert labels(source) == [NFC, "thé"]
    assert source.notes[0].startswith(NOTE)


def test_files_of_a_manifest_may_be_spelt_otherwise(photos):
    listing = photos.parent / "list.csv"
    listing.write_text(f"path,label\nphotos/{NFC}/00.png,a\nphotos/thé/00.png,b\n", "utf-8")
    source = find_images(data_config(listing))
    assert [r.path for r in source.records] == [f"photos/{NFD}/00.png", "photos/thé/00.png"]
    assert source.notes == ("Found although the accents are spelt differently on disk: 1 path.",)


def test_two_spellings_next_to_each_other_are_two_names(tmp_path):
    write_classes(tmp_path, {NFC: 1, NFD: 1})
    assert labels(find_images(data_config(tmp_path))) == sorted([NFC, NFD])
    assert matching_spellings([NFC, NFD], [NFC]) == {}
    assert matching_spellings([NFD], [NFC, NFD]) == {}
    with pytest.raises(UsageError, match="Only the spelling of the accent differs"):
        find_images_for(tmp_path, (NFC, "thé"), data_config("x"))


def test_a_path_with_two_spellings_is_not_guessed(tmp_path):
    other = unicodedata.normalize("NFD", "é") + unicodedata.normalize("NFC", "é")
    for name in ("éé", unicodedata.normalize("NFD", "éé")):
        (tmp_path / name).mkdir()
    assert PathSpelling().existing(str(tmp_path / other)) is None
    assert PathSpelling().existing(str(tmp_path / "none" / other)) is None


def test_a_name_that_looks_the_same_is_not_suggested_as_if_it_were_another():
    assert "spelling of the accent" in did_you_mean(NFC, [NFD])
    assert did_you_mean("cafe", [NFC]) == f" Did you mean {NFC}?"

"""Faults of classes, splits and folders, each with what `cnnkit data check` has to find."""

from __future__ import annotations

import shutil

from healthy_folders import fault, into_splits, put, scene, write_healthy, write_more, write_table
from images import file_bytes

# --- classes


@fault(("class_missing_from_split", "dog"))
def class_gone_from_test(folder):
    into_splits(folder)
    shutil.rmtree(folder / "test/dog")


@fault(allow_missing_classes=True)
def class_gone_from_test_by_agreement(folder):
    class_gone_from_test(folder)


@fault(("class_missing_from_split", "dog"))
def empty_class_in_test(folder):
    class_gone_from_test(folder)
    (folder / "test/dog").mkdir()


@fault(("class_missing_from_train", "owl"))
def class_in_test_only(folder):
    into_splits(folder)
    put(folder, "test/owl/1.png", file_bytes(scene(8000)))


@fault(("no_train_split", "test"))
def no_train_folder(folder):
    into_splits(folder)
    shutil.rmtree(folder / "train")


@fault(("empty_class", "owl"))
def empty_class(folder):
    (folder / "owl").mkdir()


@fault(("empty_class", "owl"), classes=("cat", "dog", "owl"))
def listed_class_that_is_not_there(folder):
    pass


@fault(("class_too_small", "owl"))
def two_images(folder):
    for index in range(2):
        put(folder, f"owl/{index}.png", file_bytes(scene(8000 + index)))


@fault(("imbalance", "cat", "owl"))
def one_class_is_much_larger(folder):
    for index in range(3):
        put(folder, f"owl/{index}.png", file_bytes(scene(8000 + index)))
    for index in range(20):
        put(folder, f"cat/more{index}.png", file_bytes(scene(9000 + index)))


@fault(("single_class", "cat"))
def one_class(folder):
    shutil.rmtree(folder / "dog")


@fault(("names_differ_in_case", "Dog", "dog"))
def class_in_capitals(folder):
    write_more(folder / "Dog")


@fault(("names_differ_in_unicode", "e\u0301clair", "\xe9clair"))
def class_spelt_in_two_ways(folder):
    write_more(folder / "e\u0301clair", 9000)
    write_more(folder / "\xe9clair", 9100)


@fault(("names_differ_in_case", "cat/00.PNG", "cat/00.png"))
def file_in_capitals(folder):
    put(folder, "cat/00.PNG", file_bytes(scene(9000)))


@fault(("odd_class_name", "owl "))
def class_with_a_blank(folder):
    write_more(folder / "owl ")


@fault(("odd_class_name", "owl."))
def class_with_a_dot_at_the_end(folder):
    write_more(folder / "owl.")


@fault(("missing_value_name", "None"), ("missing_value_name", "nan"))
def classes_named_like_missing_values(folder):
    write_more(folder / "nan")
    write_more(folder / "None", seed=990)


@fault(("names_same_number", "007", "7", "7.0"))
def the_same_number_in_three_spellings(folder):
    for seed, name in enumerate(("007", "7", "7.0", "70")):
        write_more(folder / name, seed=900 + 20 * seed)


@fault(("unprintable_class_name", "o\nwl"))
def class_with_a_line_break(folder):
    write_more(folder / "o\nwl")


@fault(("unusable_source",))
def two_folders_for_one_split(folder):
    into_splits(folder)
    write_healthy(folder / "val", seed=6000)
    write_healthy(folder / "validation", seed=6500)


@fault(("unusable_source",))
def no_class_folders(folder):
    for path in list(folder.glob("*/*")):
        path.rename(folder / f"{path.parent.name}{path.name}")
    for label in ("cat", "dog"):
        (folder / label).rmdir()


@fault(("unusable_source",))
def table_with_a_missing_file(folder):
    table = folder.parent / "table.csv"
    table.write_text("path,label\nnowhere.png,cat\n")
    return table


@fault(("group_across_splits", "photos/cat/02.png", "photos/cat/03.png"))
def group_in_two_splits(folder):
    return write_table(folder, group=({2, 3}, "burst"))


# --- look at these


@fault(("notebook_checkpoints", "cat/.ipynb_checkpoints"))
def jupyter(folder):
    put(folder, "cat/.ipynb_checkpoints/x.png", file_bytes(scene(9000)))


@fault(("hidden_file", ".DS_Store"), ("hidden_file", "__MACOSX"), ("hidden_file", "cat/._1.png"))
def hidden(folder):
    put(folder, ".DS_Store", b"\0")
    put(folder, "__MACOSX/cat/1.png", b"\0")
    put(folder, "cat/._1.png", b"\0")


@fault(("hidden_file", "cat/@eaDir"), ("hidden_file", "cat/Thumbs.db"), ("hidden_file", "#recycle"))
def of_a_system(folder):
    put(folder, "cat/Thumbs.db", b"\xd0\xcf\x11\xe0")
    put(folder, "cat/@eaDir/00.png/SYNOPHOTO_THUMB_M.jpg", file_bytes(scene(9000)))
    put(folder, "#recycle/1.png", file_bytes(scene(9001)))


@fault(("doubtful_classes",))
def parts_that_are_no_classes(folder):
    for number, part in enumerate(("2019", "2020")):
        write_healthy(folder / part, seed=1000 * (number + 1))
    for label in ("cat", "dog"):
        shutil.rmtree(folder / label)


@fault(("other_file", "cat/words.doc"), ("other_file", "notes.txt"))
def no_images(folder):
    put(folder, "cat/words.doc", b"\xd0\xcf\x11\xe0")
    put(folder, "notes.txt", b"hello")


@fault(("unread_file", "cat/scan"), ("unread_file", "dog/photo.nef"), ("unread_file", "x.pdf"))
def pictures_of_other_formats(folder):
    put(folder, "cat/scan", bytes(128) + b"DICM")
    put(folder, "dog/photo.nef", b"MM\0*" + bytes(40))
    put(folder, "x.pdf", b"%PDF-1.7")


@fault(("unused_image", "cat/photo"), ("unused_image", "top.png"))
def images_that_are_not_used(folder):
    put(folder, "cat/photo", file_bytes(scene(9000)))
    put(folder, "top.png", file_bytes(scene(9001)))


@fault(("unused_folder", "raw"))
def folder_beside_the_splits(folder):
    into_splits(folder)
    write_more(folder / "raw")


@fault(("link_loop", "cat/up"))
def link_to_its_own_folder(folder):
    (folder / "cat" / "up").symlink_to(".", target_is_directory=True)


@fault(("link_outside", "cat/x.png"))
def link_to_elsewhere(folder):
    scene(9000).save(folder.parent / "elsewhere.png")
    (folder / "cat" / "x.png").symlink_to(folder.parent / "elsewhere.png")

"""Near duplicates: the pairs that hashes propose, what pixels say of them, and real pictures."""

from __future__ import annotations

import sys

import healthy_folders
import numpy as np
import pytest
from images import data_config, file_bytes
from PIL import Image, ImageOps
from places import DOCS, SCRIPTS

from cnnkit.data.check import check_data, same_picture
from cnnkit.data.check.fault_kinds import KINDS
from cnnkit.data.check.overlay import correlation
from cnnkit.data.check.similar_hashes import MAX_DISTANCE, similar_hashes
from cnnkit.data.check.thumbnails import CROP, look_of

sys.path.insert(0, str(SCRIPTS))

from planted_leaks import CHANGES, plant, score  # noqa: E402

# --- hashes


def random_hashes(number, seed=0):
    random = np.random.default_rng(seed)
    return random.integers(0, 2**64, (number, 4), dtype=np.uint64)


def flipped(value, bits):
    for bit in bits:
        value = value ^ np.uint64(1 << int(bit))
    return value


def all_pairs(hashes):
    """Return {(first, second, variant): distance} by comparing everything with everything."""
    pairs = {}
    for variant in range(4):
        for first, value in enumerate(hashes[:, variant]):
            for second, other in enumerate(hashes[:, 0]):
                distance = (int(value) ^ int(other)).bit_count()
                if first != second and distance <= MAX_DISTANCE:
                    pairs[first, second, variant] = distance
    return pairs


def test_pairs_of_up_to_seven_bits_are_all_found_and_none_is_made_up():
    hashes = random_hashes(120)
    random = np.random.default_rng(1)
    for index in range(60):
        bits = random.choice(64, index % 13, replace=False)
        hashes[60 + index, 0] = flipped(hashes[index, index % 4], bits)
    expected = all_pairs(hashes)
    got = similar_hashes(hashes)
    keys = zip(got.first.tolist(), got.second.tolist(), got.variant.tolist(), strict=True)
    found = dict(zip(keys, got.distance.tolist(), strict=True))
    assert found.items() <= expected.items()
    near = {key for key, distance in expected.items() if distance <= 7}
    assert len(near) > 30 and near <= set(found)
    assert got.distance.tolist() == sorted(got.distance.tolist())


def test_no_picture_is_alone_among_thousands_with_the_same_hash():
    """The number of pairs stays linear, and still they connect all."""
    number = 3000
    got = similar_hashes(np.tile(random_hashes(1), (number, 1)))
    assert len(got.first) <= 4 * 16 * number
    assert set(got.first.tolist()) | set(got.second.tolist()) == set(range(number))


def test_a_hundred_thousand_hashes_are_paired():
    hashes = random_hashes(100_000)
    hashes[99_000:, 0] = hashes[:1000, 0] ^ np.uint64(0b1011)
    got = similar_hashes(hashes)
    pairs = set(zip(got.first.tolist(), got.second.tolist(), strict=True))
    assert all((index, 99_000 + index) in pairs for index in range(1000))
    assert len(pairs) < 20_000


def test_one_hash_and_none_have_no_pairs():
    assert len(similar_hashes(random_hashes(1)).first) == 0


def pictures_of_all_kinds():
    """Return pictures of 64 x 64 pixels: noise, scenes, slopes, and symmetric ones."""
    random = np.random.default_rng(0)
    slope = np.broadcast_to(np.linspace(0, 255, 64).astype(np.uint8)[:, None], (64, 64, 3))
    board = (np.indices((64, 64)).sum(0) // 8 % 2 * 255).astype(np.uint8)
    yield from (slope, slope.swapaxes(0, 1), np.repeat(board[..., None], 3, axis=2))
    for seed in range(100):
        yield random.integers(0, 256, (64, 64, 3), dtype=np.uint8)
        yield np.asarray(healthy_folders.scene(seed, 64, 64))


def test_the_four_hashes_are_those_of_imagehash():
    """Bit for bit, also where frequencies are equal and rounding alone decides."""
    import imagehash

    for pixels in pictures_of_all_kinds():
        picture = Image.fromarray(np.ascontiguousarray(pixels))
        grey = picture.convert("L")
        inner = (64 * CROP, 64 * CROP, 64 * (1 - CROP), 64 * (1 - CROP))
        middle = grey.resize((64, 64), Image.Resampling.BILINEAR, box=inner)
        variants = grey, middle, ImageOps.mirror(grey), ImageOps.mirror(middle)
        expected = [int(str(imagehash.phash(variant)), 16) for variant in variants]
        assert look_of(picture).hashes.tolist() == expected


def test_a_picture_without_contrast_has_no_look():
    assert look_of(Image.new("RGB", (64, 64), "teal")) is None
    faint = np.full((64, 64, 3), 100, np.uint8)
    faint[:, 32:] += 7
    assert look_of(Image.fromarray(faint)) is None
    faint[:, 32:] += 1
    assert look_of(Image.fromarray(faint)) is not None


def test_colours_are_means_of_sixteen_parts():
    pixels = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    expected = pixels.reshape(4, 16, 4, 16, 3).mean((1, 3)).round()
    assert np.array_equal(look_of(Image.fromarray(pixels)).colours, expected)


# --- pixels


def grey(image, side=32):
    return np.asarray(image.convert("L").resize((side, side), Image.Resampling.BOX))[None]


def laid(picture, other, scale=1.0):
    whole, detail = correlation(grey(picture), grey(other), np.array([scale], np.float32))
    return float(whole[0]), float(detail[0])


def test_a_picture_is_found_again_in_a_wider_one_of_other_contrast():
    wide = healthy_folders.scene(1, 320, 320)
    narrow = wide.crop((10, 22, 305, 300)).point(lambda value: value * 0.6 + 40)
    whole, detail = laid(narrow, wide, 0.92)
    assert whole > 0.98 and detail > 0.8
    back, _ = laid(wide, narrow, 1 / 0.92)
    assert back > 0.97


def test_other_pictures_do_not_correlate():
    values = [
        laid(healthy_folders.scene(seed), healthy_folders.scene(seed + 50)) for seed in range(20)
    ]
    assert max(whole for whole, _ in values) < 0.8


def test_the_correlation_is_that_of_numpy():
    first, second = grey(healthy_folders.scene(1)), grey(healthy_folders.scene(2))
    whole, _ = correlation(first, second, np.ones(1, np.float32), steps=0)
    expected = np.corrcoef(first.ravel(), second.ravel())[0, 1]
    assert whole[0] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_planted_copies_of_drawn_pictures_are_found(tmp_path, change):
    for seed in range(40):
        path = tmp_path / "drawn" / f"{seed}.png"
        path.parent.mkdir(exist_ok=True)
        healthy_folders.scene(seed, 200, 150).save(path)
    assert plant(tmp_path / "drawn", tmp_path / "work", CHANGES[change]) == 40
    found, false = score(tmp_path / "work")
    assert found >= 38 and false == []


# --- real pictures


@pytest.mark.parametrize("name", ["clothing_small", "sign_digits"])
def test_there_is_no_false_alarm_on_clean_data(shared_data, name):
    """Of the pairs that come nearest, all were looked at: none is of one picture."""
    checked = check_data(data_config(shared_data / "datasets" / name))
    assert checked.num_images > 500
    assert [(finding.kind, finding.paths) for finding in checked.findings] == []


_NO_FINDING = {
    "avif_hopper.avif", "bmp_g_pal1.bmp", "bmp_g_rgb16-565.bmp", "exif_Landscape_1.jpg",
    "exifsamples_invalid_image00971.jpg", "exifsamples_invalid_image01137.jpg", "flower.webp",
    "hopper.png", "hopper.tif", "hopper_bad_exif.jpg", "hopper_bw_500.png",
}  # fmt: skip
_MESSY = {
    "16bit.cropped.tif": "sixteen_bit",
    "apng_chunk_no_fctl.png": "damaged",
    "apng_mode_palette_alpha.png": "animated constant palette transparent",
    "bmp_b_badwidth.bmp": "too_large",
    "bmp_b_pal8badindex.bmp": "palette",
    "bmp_b_shortfile.bmp": "truncated",
    "bmp_g_pal8.bmp": "palette",
    "broken.png": "damaged",
    "broken_data_stream.png": "damaged",
    "decompression_bomb.gif": "too_large",
    "dispose_bgnd.gif": "animated palette",
    "empty_gps_ifd.jpg": "exif_rotated tiny",
    "exif_Landscape_6.jpg": "exif_rotated",
    "exif_Landscape_8.jpg": "exif_rotated",
    "first_frame_transparency.gif": "palette transparent",
    "hopper.gif": "palette",
    "hopper.ico": "tiny transparent",
    "hopper_orientation_2.jpg": "exif_rotated",
    "hopper_orientation_3.jpg": "exif_rotated",
    "hopper_orientation_5.jpg": "exif_rotated",
    "hopper_orientation_6.jpg": "exif_rotated",
    "hopper_orientation_7.jpg": "exif_rotated",
    "hopper_orientation_8.jpg": "exif_rotated",
    "hopper_wal.png": "palette",
    "hymenoptera_imageNotFound.gif": "palette",
    "icc-after-SOF.jpg": "constant tiny",
    "iss634.gif": "animated palette",
    "issue_2811.gif": "palette",
    "jfif_unit_cm.jpg": "constant tiny",
    "orientation_rectangle.jpg": "constant exif_rotated tiny",
    "pil123p.png": "palette transparent",
    "pil_sample_cmyk.jpg": "cmyk",
    "png_decompression_dos.png": "constant tiny",
    "signdigits_class7_3024px_exif6.JPG": "exif_rotated",
    "tiny.png": "palette tiny transparent",
    "transparent.png": "transparent",
    "transparent.webp": "transparent",
    "truncated_image.png": "truncated",
    "truncated_jpeg.jpg": "truncated",
    "uncompressed_la.png": "transparent",
    "unknown_compression_method.png": "transparent",
    "zero_width.gif": "damaged",
}
_SAME_PICTURE = {  # looked at on the contact sheet
    frozenset(
        {"avif_hopper.avif", "hopper.gif", "hopper.png", "hopper.tif", "hopper_bw_500.png"}
        | {f"hopper_orientation_{number}.jpg" for number in (2, 3, 5, 6, 7, 8)}
        | {"hopper_wal.png"}
    ),
    frozenset({"bmp_g_pal8.bmp", "bmp_g_rgb16-565.bmp"}),
    frozenset({"exif_Landscape_1.jpg", "exif_Landscape_6.jpg", "exif_Landscape_8.jpg"}),
    frozenset({"transparent.png", "transparent.webp"}),
}


def test_every_messy_file_has_its_true_kinds(shared_data, tmp_path):
    folder = healthy_folders.write_healthy(tmp_path / "photos")
    index = (shared_data / "messy" / "INDEX.tsv").read_text().splitlines()[1:]
    names = {line.split("\t")[0] for line in index}
    for name in names:
        healthy_folders.put(folder, f"messy/{name}", (shared_data / "messy" / name).read_bytes())
    checked = check_data(data_config(folder))
    kinds = {name: set() for name in names}
    groups = set()
    for finding in checked.findings:
        shown = [path.removeprefix("messy/") for path in finding.paths]
        if finding.kind == "near_duplicate":
            groups.add(frozenset(shown))
        elif finding.kind == "dark_samples":  # one finding about all pictures of more than 8 bits
            assert finding.detail.startswith("1 picture with samples from 291 to 694;")
        else:
            assert len(shown) == 1 and finding.kind in KINDS
            kinds[shown[0]].add(finding.kind)
    expected = {name: set(kinds.split()) for name, kinds in _MESSY.items()}
    assert kinds == {**expected, **{name: set() for name in _NO_FINDING}}
    assert groups == _SAME_PICTURE


# --- the page


def test_the_page_lists_every_kind_with_its_severity_and_meaning():
    page = (DOCS / "check.md").read_text(encoding="utf-8")
    rows = [line.strip("|").split("|") for line in page.splitlines() if line.startswith("| `")]
    listed = [[cell.strip() for cell in row] for row in rows if len(row) == 3]
    assert listed == [[f"`{name}`", kind.severity, kind.meaning] for name, kind in KINDS.items()]


def test_pictures_that_are_all_alike_are_compared_in_bounded_number(monkeypatch, tmp_path):
    """Of 40 copies of one picture, each next to 40 others, few pairs are compared."""
    compared = []
    copies = same_picture._Comparison.copies

    def counted(self, rows):
        compared.extend(rows.tolist())
        return copies(self, rows)

    monkeypatch.setattr(same_picture._Comparison, "copies", counted)
    for index in range(40):
        image = healthy_folders.scene(5)
        image.putpixel((index, index), (index, 255, 0))
        healthy_folders.put(tmp_path, f"cat/{index:02d}.png", file_bytes(image))
    healthy_folders.write_more(tmp_path / "dog")
    checked = check_data(data_config(tmp_path))
    (finding,) = [each for each in checked.findings if each.kind == "near_duplicate"]
    assert len(finding.paths) == 40
    wholes = [tuple(sorted(row[:2])) for row in compared if row[2] == 0]
    assert len(wholes) == len(set(wholes))
    assert len(compared) <= same_picture._PAIRS_AT_ONCE + 16 * 40

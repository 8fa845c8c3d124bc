"""What a report calls the images of a run: pictures, or sounds."""

from __future__ import annotations

from dataclasses import dataclass

from cnnkit.report.run_facts import RunFacts


@dataclass(frozen=True)
class KindOfImages:
    """Words for the images of a run.

    Args:
        classifier: what the model is.
        noun: what one of the images is called.
        one: the same, with its article, of one that is new to the model.
        task: the name of the task on Hugging Face.
        loader: of a folder of such files, on Hugging Face.
        more_input: what is said of the pixels besides their number.
        use: what the model is for.
        foreign: of what the model should not be asked.
        slices: examples of kinds of images.
        file: a file, in the examples of a card.
        any_file: which files these may be.
    """

    classifier: str
    noun: str
    one: str
    task: str
    loader: str
    more_input: str
    use: str
    foreign: str
    slices: str
    file: str
    any_file: str


_PICTURES = KindOfImages(
    classifier="An image classifier",
    noun="image",
    one="a picture",
    task="image-classification",
    loader="imagefolder",
    more_input="",
    use="Name the class of a picture of the same kind as the training images: the same subjects, "
    "cameras and circumstances.",
    foreign="Pictures of anything else",
    slices="dark, small, blurred, of one camera",
    file="image.jpg",
    any_file="any image that Pillow reads",
)
_SOUNDS = KindOfImages(
    classifier="A classifier of sounds",
    noun="sound",
    one="a sound",
    task="audio-classification",
    loader="audiofolder",
    more_input=". It is the picture of a sound, its spectrogram, which cnnkit makes of a WAV file",
    use="Name the class of a sound of the same kind as the training sounds: the same sources, "
    "microphones and circumstances.",
    foreign="Sounds of anything else",
    slices="short, noisy, of one microphone",
    file="sound.wav",
    any_file="any WAV file",
)


def kind_of_images(facts: RunFacts) -> KindOfImages:
    """Return the words for the images of a run."""
    return _SOUNDS if facts.are_sounds else _PICTURES

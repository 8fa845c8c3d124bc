"""Film a training: what the network has learned after each epoch, on one page with a slider."""

from cnnkit.training.film.filming import Film, film_of

__all__ = ["Film", "film_of"]

"""Do the styles sound different? A simple classifier guesses each song's style from onsets, brightness and density."""

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bench.music.judging import Judged

LEAST_SONGS = 3
"""Songs a style needs to take part: with fewer, there are none to learn from beside those that are guessed."""


@dataclass(frozen=True, slots=True)
class Separation:
    """`accuracy` of the guesses against `chance` (one in so many styles); `p_value` is how likely blind guesses are as
    good (binomial test); `confused` the most frequent mistakes as (style, guess, songs)."""

    accuracy: float
    chance: float
    p_value: float
    songs: int
    confused: tuple[tuple[str, str, int], ...]


def separation(songs: Sequence[Judged]) -> Separation:
    """Guess the label of every free song by logistic regression, cross-validated."""
    free = [song for song in songs if not song.case.given]
    counts = Counter(song.case.label for song in free)
    free = [song for song in free if counts[song.case.label] >= LEAST_SONGS]
    labels = [song.case.label for song in free]
    styles = len(set(labels))
    if styles < 2:
        return Separation(0.0, 1.0, 1.0, 0, ())
    folds = StratifiedKFold(min(5, min(counts[label] for label in labels)), shuffle=True, random_state=0)
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=2_000))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its solver's pace; the guesses are what counts
        guesses = cross_val_predict(classifier, np.array([song.heard.features for song in free]), labels, cv=folds)
    right = sum(guess == label for guess, label in zip(guesses, labels, strict=True))
    missed = Counter((label, str(guess)) for guess, label in zip(guesses, labels, strict=True) if guess != label)
    return Separation(
        accuracy=right / len(labels),
        chance=1 / styles,
        p_value=float(binomtest(right, len(labels), 1 / styles, "greater").pvalue),
        songs=len(labels),
        confused=tuple((label, guess, songs) for (label, guess), songs in missed.most_common(8)),
    )

"""Near-duplicate articles: the same report under another headline, a paragraph cut, a few words changed.

Two articles are near-duplicates if their sets of shingles (SHINGLE_WORDS words in a row; letters and digits only, case folded) have a
Jaccard similarity |A & B| / |A | B| of at least THRESHOLD. An isolated word that differs changes five shingles, so that about one word in
thirty may. An article of fewer words is one shingle: a near-duplicate of its equals only.

Candidates come from MinHash and locality-sensitive hashing (Broder 1997; Leskovec et al., Mining of Massive Datasets, chapter 3): with
BANDS x ROWS permutations a pair of similarity s is missed with probability (1 - s^ROWS)^BANDS, 0.02 % at 0.7. The similarity of each
candidate is then computed from the sets themselves (of 64-bit hashes), so that no pair below THRESHOLD stands.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache

import numpy as np

from sitrep.articles import Article
from sitrep.leaks import words_of

SHINGLE_WORDS = 5
THRESHOLD = 0.7
BANDS, ROWS = 32, 4
SEED = 1  # of the permutations: the same candidates each time

MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # odd: no bit of a word's hash is lost


def group_near_duplicates(articles: Iterable[Article]) -> list[list[Article]]:
    """Return the articles in groups: those that near-duplicates link, directly or through others, together; all others alone.

    The order of `articles` does not matter: groups are sorted by id, and stand by their first id.
    """
    alike: dict[bytes, list[Article]] = {}
    for article in articles:
        alike.setdefault(shingle(article.text).tobytes(), []).append(article)
    index = _Index()
    parents = list(range(len(alike)))  # a forest: the articles of one tree are one group
    for number, shingles in enumerate(alike):
        for other, _ in index.find(np.frombuffer(shingles, np.uint64), add=True):
            parents[_root(parents, other)] = number
    groups: dict[int, list[Article]] = {}
    for number, members in enumerate(alike.values()):
        groups.setdefault(_root(parents, number), []).extend(members)
    return sorted((sorted(group, key=_id) for group in groups.values()), key=lambda group: group[0].id)


class NearDuplicates:
    """Articles among which the near-duplicates of others are looked up."""

    def __init__(self, articles: Iterable[Article]) -> None:
        self.index = _Index()
        first: dict[bytes, Article] = {}  # of those with equal shingles
        for article in articles:
            shingles = shingle(article.text)
            if first.setdefault(shingles.tobytes(), article) is article:
                self.index.add(shingles)
        self.articles = list(first.values())

    def nearest(self, article: Article) -> tuple[Article, float] | None:
        """Return the most similar near-duplicate of `article` (of equally similar ones the first) and its similarity, or None."""
        found = self.index.find(shingle(article.text))
        position, similarity = max(found, key=lambda pair: pair[1], default=(0, 0.0))
        return (self.articles[position], similarity) if found else None


class Stream:
    """Texts looked up among those before them, of which only hashed shingles are kept; a text is known by its position.

    A text with MAX_ALIKE near-duplicates is not kept: who resembles it most likely resembles one of these, and a cluster of n texts takes
    n steps, not n^2.
    """

    MAX_ALIKE = 5

    def __init__(self) -> None:
        self._index = _Index()
        self._positions: list[int] = []  # of the sets in the index
        self._equal: dict[bytes, list[int]] = {}  # digest of the shingles -> the first texts that have them
        self._n = 0

    def add(self, text: str) -> list[tuple[int, float]]:
        """Return the positions of earlier near-duplicates with their similarity, the most similar first, and add the text."""
        shingles = shingle(text)
        position, self._n = self._n, self._n + 1
        equal = self._equal.setdefault(hashlib.blake2b(shingles.tobytes(), digest_size=16).digest(), [])
        before = list(equal)
        if len(equal) < self.MAX_ALIKE:
            equal.append(position)
        if before:
            return [(other, 1.0) for other in before]
        found = self._index.find(shingles, add=True, most=self.MAX_ALIKE)
        if len(self._index.sets) > len(self._positions):
            self._positions.append(position)
        return sorted(((self._positions[index], similarity) for index, similarity in found), key=lambda pair: (-pair[1], pair[0]))


def shingle(text: str) -> np.ndarray:
    """Return the sorted 64-bit hashes of a text's shingles; of a text without letters and digits, that of its other characters."""
    words = words_of(text)
    if not words:
        return np.array([_hash(" ".join(text.split()))], dtype=np.uint64)
    hashes = np.array([_hash(word) for word in words], dtype=np.uint64)
    size = min(SHINGLE_WORDS, len(words))
    rows = np.lib.stride_tricks.sliding_window_view(hashes, size)
    combined = rows[:, 0].copy()
    for column in rows.T[1:]:
        combined = combined * MULTIPLIER + column  # modulo 2^64
    return np.unique(combined)


@lru_cache(maxsize=2**18)
def _hash(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest())


class _Index:
    """Sets of shingles, to be looked up by similarity; a set is known by its position."""

    def __init__(self) -> None:
        from datasketch import MinHash, MinHashLSH  # takes most of a second, which `--help` is not to wait for

        self.empty = MinHash(num_perm=BANDS * ROWS, seed=SEED, hashfunc=int)
        self.bands = MinHashLSH(num_perm=BANDS * ROWS, params=(BANDS, ROWS))
        self.sets: list[np.ndarray] = []

    def add(self, shingles: np.ndarray) -> None:
        """Add a set that is not in the index yet."""
        self._insert(shingles, self._sketch(shingles))

    def find(self, shingles: np.ndarray, *, add: bool = False, most: int | None = None) -> list[tuple[int, float]]:
        """Return the positions of the near-duplicates, in order, and their similarity; then `add` the set, if it has fewer than `most`."""
        sketch = self._sketch(shingles)
        found = [(position, _jaccard(shingles, self.sets[position])) for position in sorted(self.bands.query(sketch))]
        found = [(position, similarity) for position, similarity in found if similarity >= THRESHOLD]
        if add and (most is None or len(found) < most):
            self._insert(shingles, sketch)
        return found

    def _sketch(self, shingles: np.ndarray):  # noqa: ANN202 (datasketch is imported above only)
        sketch = self.empty.copy()
        sketch.update_batch((shingles >> np.uint64(32)).tolist())  # which takes 32 bits
        return sketch

    def _insert(self, shingles: np.ndarray, sketch) -> None:  # noqa: ANN001
        self.bands.insert(len(self.sets), sketch)
        self.sets.append(shingles)


def _jaccard(one: np.ndarray, other: np.ndarray) -> float:
    n_shared = len(np.intersect1d(one, other, assume_unique=True))
    return n_shared / (len(one) + len(other) - n_shared)


def _root(parents: list[int], number: int) -> int:
    while parents[number] != number:
        parents[number] = number = parents[parents[number]]
    return number


def _id(article: Article) -> str:
    return article.id

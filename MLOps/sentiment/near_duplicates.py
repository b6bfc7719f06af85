"""Which texts are equal or nearly so: exact Jaccard similarity of character shingles, by prefix filtering."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer

from MLOps.errors import DataError

IntArray = npt.NDArray[np.int64]
_ROUNDING = 1e-9
_MAX_CANDIDATES = 4_000_000  # of one block; about 100 MB
_MAX_PAIRS = 10_000_000  # found, 16 bytes each; some thousand texts of one template
_MAX_COMPARED = 50_000  # pairs whose shingles lie side by side in memory; about 150 MB


@dataclass(frozen=True)
class NearDuplicates:
    """Texts as nodes of a graph whose edges join near-duplicates.

    Attributes
    ----------
    forms : tuple of str
        The distinct texts in lower case with words and numbers only, sorted.
    form : ndarray of int, shape (K,)
        Position of each text's form; texts of one form are equal.
    pairs : ndarray of int, shape (P, 2)
        Positions of two forms that are near-duplicates, the smaller first, sorted.
    """

    forms: tuple[str, ...]
    form: IntArray
    pairs: IntArray

    def is_outranked(self, rank: IntArray) -> npt.NDArray[np.bool_]:
        """(K,) whether an equal or near-equal text has a higher rank; `rank` is (K,)."""
        own = np.full(len(self.forms), -1)
        np.maximum.at(own, self.form, rank)
        highest = own.copy()
        left, right = self.pairs.T
        np.maximum.at(highest, left, own[right])
        np.maximum.at(highest, right, own[left])
        return np.asarray(highest[self.form] > rank)


def find_near_duplicates(texts: Sequence[str], shingle_characters: int, min_jaccard: float) -> NearDuplicates:
    """Every pair of texts whose shingles have at least this Jaccard similarity; none is missed.

    A text's shingles are the runs of `shingle_characters` in its form. Two sets of at least that
    similarity share one of the first ``n - ceil(min_jaccard n) + 1`` of their n shingles, counted from
    the rarest; so only texts that share a rare shingle are compared, and no (K, K) matrix is made.

    Source: Chaudhuri, Ganti and Kaushik, "A primitive operator for similarity joins in data cleaning",
    ICDE 2006, section 4 (prefix filter).

    Raises
    ------
    DataError
        If so many texts are alike that their pairs would fill the memory.
    """
    forms, form = np.unique(np.array([_form(text) for text in texts], dtype=object), return_inverse=True)
    if len(forms) == 0:
        return NearDuplicates((), form.astype(np.int64), np.empty((0, 2), dtype=np.int64))
    shingles = _shingles(forms, shingle_characters)
    found = [np.empty((0, 2), dtype=np.int64)]
    for block in _candidates(shingles, min_jaccard):
        found.append(_similar(shingles, block, min_jaccard))
        _refuse_templates(sum(map(len, found)), len(texts))
    pairs = np.concatenate(found)
    return NearDuplicates(tuple(forms), form.astype(np.int64), pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))])


def _refuse_templates(pairs: int, texts: int) -> None:
    if pairs > _MAX_PAIRS:
        raise DataError(
            f"more than {_MAX_PAIRS:,} pairs among {texts:,} texts are near-duplicates: most are made of one template",
            "texts that people wrote",
            "the texts, or duplicates.min_jaccard=1",
        )


def _form(text: str) -> str:
    """Lower case, words and numbers only; a text of other characters alone stays as it is."""
    return " ".join(re.findall(r"\w+", text.casefold())) or text


def _shingles(forms: npt.NDArray[np.object_], length: int) -> sparse.csr_array:
    """(F, S) ones where a form holds a shingle, the columns from the rarest shingle to the commonest."""
    counter = CountVectorizer(analyzer=lambda form: _runs(form, length), binary=True)
    matrix = sparse.csr_array(counter.fit_transform(forms), dtype=np.int32)
    rarest_first = np.argsort(np.bincount(matrix.indices, minlength=matrix.shape[1]), kind="stable")
    ordered = sparse.csr_array(matrix[:, rarest_first])
    ordered.sort_indices()
    return ordered


def _runs(form: str, length: int) -> set[str]:
    """Every run of characters; of a shorter form itself, filled up."""
    padded = f" {form} ".ljust(length)
    return {padded[start : start + length] for start in range(len(padded) - length + 1)}


def _candidates(shingles: sparse.csr_array, min_jaccard: float) -> Iterator[IntArray]:
    """Blocks of (C, 2) pairs that share a shingle of their prefixes, the smaller position first."""
    prefixes = _prefixes(shingles, min_jaccard)
    holders = sparse.csr_array(prefixes.T)
    work = np.cumsum(prefixes @ np.diff(holders.indptr))
    starts = np.unique(np.searchsorted(work, np.arange(0, work[-1] + 1, _MAX_CANDIDATES)))
    for start, end in zip(starts, [*starts[1:], len(work)], strict=True):
        shared = sparse.coo_array(prefixes[start:end] @ holders)
        left, right = shared.row + start, shared.col
        yield np.column_stack((left, right))[left < right].astype(np.int64)


def _prefixes(shingles: sparse.csr_array, min_jaccard: float) -> sparse.csr_array:
    sizes = np.diff(shingles.indptr)
    kept = sizes - np.ceil(min_jaccard * sizes - _ROUNDING).astype(np.int64) + 1
    place_in_row = np.arange(shingles.nnz) - np.repeat(shingles.indptr[:-1], sizes)
    is_kept = place_in_row < np.repeat(kept, sizes)
    ends = np.concatenate(([0], np.cumsum(kept)))
    return sparse.csr_array((shingles.data[is_kept], shingles.indices[is_kept], ends), shape=shingles.shape)


def _similar(shingles: sparse.csr_array, pairs: IntArray, min_jaccard: float) -> IntArray:
    """Those of the pairs that are similar enough."""
    sizes = np.diff(shingles.indptr)
    smaller, larger = np.sort(sizes[pairs], axis=1).T
    pairs = pairs[smaller >= min_jaccard * larger - _ROUNDING]
    kept = [pairs[:0]]
    for start in range(0, len(pairs), _MAX_COMPARED):
        left, right = pairs[start : start + _MAX_COMPARED].T
        common = shingles[left].multiply(shingles[right]).sum(axis=1)
        union = sizes[left] + sizes[right] - common
        kept.append(pairs[start : start + _MAX_COMPARED][common >= min_jaccard * union - _ROUNDING])
    return np.concatenate(kept)

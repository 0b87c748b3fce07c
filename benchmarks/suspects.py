"""Are wrong marks found? Known mistakes are put into the hand-labelled articles, and looked for as `annotate.py action=suspects` does.

python benchmarks/suspects.py [share=0.05] [seed=1] [folder=DIR] [key=value...]

A third each of the mistakes (corruption.py) are swapped labels, dropped marks, and boundaries moved by a word. The corrupted articles are
written to `folder` (a temporary one unless given; a second start there takes the folds that are trained), five folds are trained with
`model=minilm3 experiment=quickstart` and any `key=value`, and every article is judged by the models that did not learn from it.

The list holds all marks and all places where the models find something unmarked. A mistake is found by the first item on its place (one
that shares a character with what stands there now, or for a dropped mark stood there). Printed: the share of the mistakes found in the
first tenth of the list, by kind; average precision, where an item counts as right that finds a mistake which none before it found.

For comparison the same items ordered by cleanlab's token scores (`token_classification.rank`) of the same models' tag probabilities per
word, where an item scores as its worst word: of the mark, or of the mark and what sitrep suggests, which is more than cleanlab knows.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from cleanlab.token_classification.filter import find_label_issues
from cleanlab.token_classification.rank import get_label_quality_scores
from corruption import KINDS, Injected, corrupt
from plain_recipe import compose

from sitrep.annotating.judges import Judged, judges_of
from sitrep.articles import Article, Span, fingerprint
from sitrep.corpus import read_labelled
from sitrep.errors import InputError
from sitrep.formats import jsonl
from sitrep.judging import Opinion, read_opinions
from sitrep.readers import load_reader
from sitrep.runs import Run
from sitrep.suspicion import Item, rank, weigh

OWN = ("share", "seed", "folder")
FOLDS = 5
SETTINGS = ("model=minilm3", "experiment=quickstart")
TOP = 0.1  # of the list


def train_folds(articles: Sequence[Article], folder: Path, arguments: Sequence[str]) -> Judged:
    """Write the articles to `folder`, train the folds that are not there yet, and return who judges what.

    Raises:
        InputError: if the folder holds folds of other articles, such as those with another share or seed of mistakes.
    """
    runs = _runs(folder)
    sha256 = fingerprint(articles)
    if others := [run for run in runs if Run(Path(run)).info()["data_sha256"] != sha256]:
        raise InputError(f"folder={folder}: {others[0]} has learnt from other articles than those of this share= and seed=; name another")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "corrupted.jsonl"
    jsonl.write(articles, path)
    if len(runs) < FOLDS:
        command = ["train.py", "-m", f"cv.folds={FOLDS}", f"cv.fold=range({FOLDS})", *SETTINGS, *arguments]
        subprocess.run([sys.executable, *command, f"data.path={path}", f"hydra.sweep.dir={folder}"], check=True, stdout=sys.stderr)
        runs = _runs(folder)
    return judges_of(runs, None)


def _runs(folder: Path) -> list[str]:
    return sorted(str(path.parent.parent) for path in folder.glob("*/*/metrics/fold.json"))


def tag_probabilities(opinion: Opinion) -> np.ndarray:
    """Return (n_words, n_tags): how probable each tag is of each word, whatever the others'."""
    marginals = opinion.marginals
    places = marginals.sequences.places(opinion.row, np.arange(len(opinion.starts)))
    joint = marginals.ahead[places] * marginals.behind[places] / marginals.weights[places]
    return joint / joint.sum(axis=1, keepdims=True)


def tags_of(article: Article, opinion: Opinion) -> list[int]:
    """Return the tag that each word of a marked article bears."""
    held = [span for span in article.spans if (span.start, span.end, span.label) not in opinion.lost]
    spans = [(opinion.starts[span.start], opinion.ends[span.end] + 1, span.label) for span in held]
    return opinion.tags.encode(spans, len(opinion.starts))


def score_as_cleanlab(
    items: Sequence[Item], opinions: Mapping[str, Sequence[Opinion]]
) -> tuple[dict[str, list[float]], list[tuple[str, Span]]]:
    """Return the score of each item, in two ways, and the words that cleanlab calls issues, most severe first."""
    by_id = {item.article.id: item.article for item in items}
    ids = list(by_id)
    tags = [tags_of(by_id[name], opinions[name][0]) for name in ids]
    probabilities = [np.mean([tag_probabilities(opinion) for opinion in opinions[name]], axis=0) for name in ids]
    _, scores = get_label_quality_scores(tags, probabilities)
    words = {name: [Span(*edges, "word") for edges in zip(opinions[name][0].starts, opinions[name][0].ends, strict=True)] for name in ids}
    of_words = {name: np.asarray(row) for name, row in zip(ids, scores, strict=True)}

    def worst(item: Item, *spans: Span | None) -> float:
        name, places = item.article.id, [span for span in spans if span]
        return min(of_words[name][index] for index, word in enumerate(words[name]) if any(_share(word, place) for place in places))

    issues = [(ids[row], words[ids[row]][word]) for row, word in find_label_issues(tags, probabilities)]
    return {
        "cleanlab, the mark's words": [worst(item, item.place) for item in items],
        "cleanlab, the suggestion's too": [worst(item, item.given, item.suggested) for item in items],
    }, issues


def find(items: Sequence[Item], injected: Sequence[Injected]) -> list[set[int]]:
    """Return, for each item in order, which mistakes it finds that none before it has found."""
    by_article = defaultdict(list)
    for number, mistake in enumerate(injected):
        by_article[mistake.article_id].append((number, mistake.wrong or mistake.right))
    found: set[int] = set()
    news = []
    for item in items:
        here = {number for number, place in by_article[item.article.id] if _share(item.place, place)}
        news.append(here - found)
        found |= here
    return news


def average_precision(news: Sequence[set[int]], n_mistakes: int) -> float:
    """Return the sum of the precisions at each item that finds a mistake, over all mistakes."""
    right = np.array([bool(new) for new in news])
    return float((np.cumsum(right) / np.arange(1, len(right) + 1))[right].sum() / n_mistakes)


def main(arguments: Sequence[str]) -> None:
    """Print a row an order."""
    given = dict(argument.split("=", 1) for argument in arguments if argument.partition("=")[0] in OWN)
    rest = [argument for argument in arguments if argument.partition("=")[0] not in OWN]
    config = compose([*SETTINGS, *rest])
    articles = read_labelled(config.data.path, config.task)
    corrupted, injected = corrupt(articles, config.task.labels, float(given.get("share", 0.05)), int(given.get("seed", 1)))
    with tempfile.TemporaryDirectory() as temporary:
        judged = train_folds(corrupted, Path(given.get("folder", temporary)), rest)
        opinions: dict[str, list[Opinion]] = defaultdict(list)
        for run, some in judged.by_run:
            for article, opinion in zip(some, read_opinions(load_reader(run, config.device), some), strict=True):  # type: ignore[arg-type]
                opinions[article.id].append(opinion)
    items = rank(item for article in judged.articles for item in weigh(article, opinions[article.id], config.task.labels)[0])
    scores, issues = score_as_cleanlab(items, opinions)
    kinds = Counter(mistake.kind for mistake in injected)
    listed = ", ".join(f"{kinds[kind]} {kind}" for kind in KINDS)
    print(f"{len(injected)} mistakes ({listed}) in {len(items)} items of {len(opinions)} articles")
    print(f"| order | found in the first {TOP:.0%} | {' | '.join(KINDS)} | average precision |\n|---|---|{'---|' * len(KINDS)}---|")
    theirs = {name: [items[index] for index in np.argsort(own, kind="stable")] for name, own in scores.items()}
    for name, ordered in {"sitrep": items, **theirs}.items():
        news = find(ordered, injected)
        top = set().union(*news[: round(TOP * len(items))])
        by_kind = Counter(injected[number].kind for number in top)
        shares = " | ".join(f"{by_kind[kind] / kinds[kind]:.1%}" for kind in KINDS)
        print(f"| {name} | {len(top) / len(injected):.1%} | {shares} | {average_precision(news, len(injected)):.3f} |")
    marked = {
        number for number, mistake in enumerate(injected)
        if any(name == mistake.article_id and _share(word, mistake.wrong or mistake.right) for name, word in issues)
    }  # fmt: skip
    print(f"cleanlab's find_label_issues: {len(issues)} words, on {len(marked) / len(injected):.1%} of the mistakes")


def _share(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end


if __name__ == "__main__":
    main(sys.argv[1:])

"""The arithmetic of the benchmarks of suspects and of next articles."""

import itertools
import json
import statistics

import next_articles
import numpy as np
import pytest
import suspects
from cleanlab.token_classification.rank import get_label_quality_scores
from corruption import KINDS, Injected, corrupt, moved
from factories import LABELS, ROOT, make_article, refused, write_files
from test_judging import TAGS, by_brute_force, make_opinion, tag_chains

from sitrep.articles import Article, Span
from sitrep.formats import read_articles
from sitrep.suspicion import Item


def test_a_share_of_all_marks_is_corrupted_a_third_in_each_way():
    articles = list(read_articles(ROOT / "data" / "articles" / "sahel"))
    corrupted, injected = corrupt(articles, LABELS, 0.1, seed=3)
    n_marks = sum(len(article.spans) for article in articles)
    counts = [sum(mistake.kind == kind for mistake in injected) for kind in KINDS]
    assert len(injected) == round(0.1 * n_marks) and max(counts) - min(counts) <= 1
    for before, after in zip(articles, corrupted, strict=True):
        own = [mistake for mistake in injected if mistake.article_id == before.id]
        right, wrong = {mistake.right for mistake in own}, {mistake.wrong for mistake in own if mistake.wrong}
        assert before.text == after.text and set(after.spans) == (set(before.spans) - right) | wrong
        assert not any(one.end > other.start for one, other in itertools.pairwise(sorted(after.spans)))
    for mistake in injected:
        if mistake.kind == "label":
            assert mistake.wrong.label != mistake.right.label
            assert (mistake.wrong.start, mistake.wrong.end) == (mistake.right.start, mistake.right.end)
        if mistake.kind == "boundary":
            assert mistake.wrong.label == mistake.right.label and mistake.wrong != mistake.right
    assert corrupt(articles, LABELS, 0.1, seed=3) == (corrupted, injected)
    assert corrupt(articles, LABELS, 0.1, seed=4)[1] != injected


@pytest.mark.parametrize(
    ("marked", "surfaces"),
    [
        ("The [Desert Front](X) left.", {"Front", "Desert", "Desert Front left", "The Desert Front"}),
        ("[Gao](X), then", set()),
        ("in [Gao](X)\nand", {"in Gao"}),
        ("[Ber](X) [Gao](X) fell", {"Ber Gao"}),
    ],
)
def test_a_boundary_moves_by_a_word_within_the_line_and_not_into_another_mark(marked, surfaces):
    article = make_article("a", marked)
    span = article.spans[-1] if "Ber" not in marked else article.spans[0]
    others = set(article.spans) - {span}
    found = {article.surface(choice) for choice in moved(article.text, span, others)}
    assert found == (surfaces if "Ber" not in marked else set())


ARTICLE = Article("a", "ab cd ef gh", (Span(0, 5, "PERSON"), Span(6, 8, "DATE")))


def items(*places) -> list[Item]:
    return [Item(ARTICLE, place, None, 0.5, 0.5, 1) for place in places]


def test_a_mistake_is_found_once_by_the_first_item_on_its_place():
    injected = [
        Injected("a", "label", Span(0, 5, "DATE"), Span(0, 5, "PERSON")),
        Injected("a", "dropped", Span(9, 11, "DATE"), None),
        Injected("b", "dropped", Span(6, 8, "DATE"), None),
    ]
    news = suspects.find(items(Span(6, 8, "DATE"), Span(3, 5, "DATE"), Span(0, 2, "DATE"), Span(9, 11, "DATE")), injected)
    assert news == [set(), {0}, set(), {1}]
    assert suspects.average_precision(news, 2) == pytest.approx((1 / 2 + 2 / 4) / 2)


def test_tag_probabilities_are_those_of_all_sequences():
    emissions, moves = tag_chains(np.random.default_rng(1), True)
    probabilities = suspects.tag_probabilities(make_opinion(emissions, moves))
    expected = [[by_brute_force(emissions[0], moves, lambda path, w=word, t=tag: path[w] == t) for tag in range(5)] for word in range(4)]
    assert probabilities == pytest.approx(np.array(expected), abs=1e-9)


def test_cleanlab_s_scores_of_words_become_scores_of_items():
    opinion = make_opinion(*tag_chains(np.random.default_rng(2), True))
    assert suspects.tags_of(ARTICLE, opinion) == TAGS.encode([(0, 2, "PERSON"), (2, 3, "DATE")], 4)
    both = [
        Item(ARTICLE, Span(0, 5, "PERSON"), Span(3, 8, "DATE"), 0.5, 0.5, 1),
        Item(ARTICLE, None, Span(9, 11, "DATE"), 0.5, 0.5, 1),
    ]
    scores, issues = suspects.score_as_cleanlab(both, {"a": [opinion]})
    _, (words,) = get_label_quality_scores([suspects.tags_of(ARTICLE, opinion)], [suspects.tag_probabilities(opinion)])
    own, suggested = scores.values()
    assert own == [min(words[:2]), words[3]] and suggested == [min(words[:3]), words[3]]
    assert {word.start for _, word in issues} <= {0, 3, 6, 9}


def test_a_round_pays_for_as_many_words_as_a_batch_has_on_average():
    simulation = object.__new__(next_articles.Simulation)  # without the encoder, which takes a minute to read the articles
    simulation.batch, simulation.words = 2, {"a": 100, "b": 300, "c": 250, "d": 400, "e": 200}
    simulation.by_words = False
    assert simulation.fill([], "abcde", 0) == ["a", "b"] and simulation.fill(["a", "b"], "ecd", 1) == ["a", "b", "e", "c"]
    simulation.by_words = True
    assert statistics.fmean(simulation.words.values()) * 2 == 500
    assert simulation.fill([], "abcde", 0) == ["a", "b", "e"]  # 600: e fits by half, c does not
    assert simulation.fill(["a", "b", "e"], "cd", 1) == ["a", "b", "e", "c"]  # 850 of 1000, and 1250 with d
    assert simulation.fill(["a", "b", "e"], "dc", 1) == ["a", "b", "e", "d"]


def test_options_that_nobody_knows_are_refused():
    assert next_articles.options_of(["seeds=1"]) == {**next_articles.DEFAULTS, "seeds": "1"}
    for argument, hint in (("seed=1", "did you mean 'seeds'?"), ("budget=word", "'words'"), ("ways=next,randm", "'random'")):
        with refused("is unknown", hint):
            next_articles.options_of([argument])


def test_one_seed_has_a_mean_and_no_deviation():
    assert next_articles.spread([0.5]) == "50.0" and next_articles.spread([0.5, 0.7]) == "60.0 ± 14.1"


def test_folds_of_other_articles_are_not_taken(tmp_path):
    fold = {"0/1/metrics/fold.json": "{}", "0/1/run.json": json.dumps({"data_sha256": "0"}), "corrupted.jsonl": "theirs"}
    write_files(tmp_path, fold)
    with refused(f"folder={tmp_path}", str(tmp_path / "0" / "1"), "name another"):
        suspects.train_folds([ARTICLE], tmp_path, [])
    assert (tmp_path / "corrupted.jsonl").read_text() == "theirs"


def test_the_rarest_labels_are_averaged_and_what_is_undefined_is_nothing():
    strict = {"per_label": {"A": {"f1": 0.5}, "B": {"f1": None}}, "micro": {"f1": 0.7}}
    assert next_articles.measure(strict, "rare", ["A", "B"]) == 0.25 and next_articles.measure(strict, "micro", []) == 0.7

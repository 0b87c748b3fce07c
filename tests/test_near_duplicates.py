"""Which articles are near-duplicates: against all pairs by their definition, in any order."""

import random
import subprocess
import sys

import pytest
from factories import texts
from hypothesis import given
from hypothesis import strategies as st

from sitrep.articles import Article
from sitrep.near_duplicates import SHINGLE_WORDS, THRESHOLD, NearDuplicates, Stream, group_near_duplicates, shingle

LONG = " ".join(f"word{number}" for number in range(60))  # 56 shingles


def articles_of(*texts_in_order: str) -> list[Article]:
    return [Article(f"a{number:02}", text) for number, text in enumerate(texts_in_order)]


def grouped(articles) -> list[list[str]]:
    return [[article.id for article in group] for group in group_near_duplicates(articles)]


def shingles_by_definition(text: str) -> set[tuple[str, ...]]:
    """Of texts whose words are split by spaces."""
    words = text.casefold().split()
    return {tuple(words[start : start + SHINGLE_WORDS]) for start in range(max(1, len(words) - SHINGLE_WORDS + 1))}


def similarity(one: str, other: str) -> float:
    a, b = shingles_by_definition(one), shingles_by_definition(other)
    return len(a & b) / len(a | b)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (LONG, f"  {LONG.upper()}!\n", True),
        (LONG, LONG.replace("word7 ", "another "), True),  # 51 of 61
        (LONG, f"GAO (own report) - {LONG}", True),
        (LONG, LONG.replace("word7 ", "x ").replace("word17 ", "x ").replace("word27 ", "x "), False),  # 41 of 71
        (LONG, LONG.replace("word7 ", "x ").replace("word17 ", "x "), False),  # 46 of 66; by four words in a row 49 of 65
        (LONG, LONG[: len(LONG) // 2], False),
        ("The army left Gao.", "the ARMY left Gao", True),  # fewer words than a shingle
        ("The army left Gao.", "The army left Mopti.", False),
        ("The army left Gao.", "The army left.", False),
        ("...", " ... ", True),  # no word at all
        ("...", "!", False),
        ("غادرت القوات المدينة يوم الاثنين الماضي؟", "غادرت القوات المدينة يوم الاثنين الماضي", True),
    ],
)
def test_near_duplicates(one, other, expected):
    articles = articles_of(one, other)
    assert (len(group_near_duplicates(articles)) == 1) is expected
    found = NearDuplicates(articles[:1]).nearest(articles[1])
    assert (found is not None) is expected


@st.composite
def variants(draw: st.DrawFn) -> list[str]:
    """Texts, and copies of them in which some words are others: of any similarity."""
    rng = random.Random(draw(st.integers(0, 999)))
    originals = [[f"w{rng.randrange(1000)}" for _ in range(rng.randrange(1, 80))] for _ in range(4)]
    copies = [[word if rng.random() < share else "x" for word in rng.choice(originals)] for share in (1, 0.99, 0.97, 0.95, 0.9, 0.5) * 2]
    return [" ".join(words) for words in rng.sample(originals + copies, k=len(originals) + len(copies))]


@given(articles=variants().map(lambda rows: articles_of(*rows)), seed=st.integers(0, 9))
def test_groups_are_those_of_all_pairs_in_any_order(articles, seed):
    expected = {article.id: {article.id} for article in articles}
    for one in articles:
        for other in articles:
            if similarity(one.text, other.text) >= THRESHOLD:
                whole = expected[one.id] | expected[other.id]
                expected |= dict.fromkeys(whole, whole)
    shuffled = random.Random(seed).sample(articles, k=len(articles))
    assert grouped(shuffled) == grouped(articles) == sorted({tuple(sorted(group)): sorted(group) for group in expected.values()}.values())


@given(articles=variants().map(lambda rows: articles_of(*rows)))
def test_the_nearest_is_the_first_of_the_most_similar(articles):
    *others, article = articles
    similarities = [similarity(article.text, other.text) for other in others]
    found = NearDuplicates(others).nearest(article)
    if max(similarities) < THRESHOLD:
        assert found is None
    else:
        assert found == (others[similarities.index(max(similarities))], max(similarities))


@given(text=texts(max_size=60))
def test_any_text_is_its_own_duplicate(text):
    assert len(shingle(text)) >= 1
    assert grouped([Article("b", text), Article("c", "Rain fell."), Article("a", text)])[0] == ["a", "b"]


def test_links_make_a_group():
    """The first and the last differ in more than a pair may, each from the next in less."""
    chain = [LONG]
    for number in (5, 20, 35, 50):
        chain.append(chain[-1].replace(f"word{number} ", "x "))
    assert similarity(chain[0], chain[-1]) < THRESHOLD < similarity(chain[0], chain[1])
    assert grouped(articles_of(*chain, "Rain fell in Gao.")) == [["a00", "a01", "a02", "a03", "a04"], ["a05"]]


def test_no_article_has_no_group():
    assert group_near_duplicates([]) == []
    assert NearDuplicates([]).nearest(Article("a", LONG)) is None


def test_help_does_not_wait_for_the_library():
    code = "import sys, sitrep.jobs; print('datasketch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"


def test_a_stream_finds_what_came_before():
    stream = Stream()
    found = [stream.add(text) for text in (LONG, "Rain fell.", f"{LONG} again", LONG, "Rain fell.", f"{LONG} and again")]
    positions = [[position for position, _ in alike] for alike in found]
    assert positions == [[], [], [0], [0], [1], [0, 2]]
    assert found[3] == [(0, 1.0)] and found[2][0][1] == pytest.approx(56 / 57)


def test_a_stream_of_one_family_keeps_few_and_finds_all():
    stream = Stream()
    words = LONG.split()
    found = [stream.add(" ".join([*words[:n], "again", *words[n:]])) for n in range(50)]
    assert all(found[1:]) and max(map(len, found)) <= Stream.MAX_ALIKE
    equal = [stream.add("Rain fell.") for _ in range(20)]
    assert [len(alike) for alike in equal] == [0, 1, 2, 3, 4, *[5] * 15]

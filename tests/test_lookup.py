import pytest
from factories import make_article

from sitrep.lookup import LookupReader, fit_lookup, load_lookup


def found(reader, text):
    (article,) = reader.read([make_article(marked=text)])
    return [(article.surface(span), span.label, span.score) for span in article.spans]


def test_the_most_frequent_label_wins_and_the_first_by_name_of_equals():
    marks = "[Gao](LOCATION) [Gao](LOCATION) [Gao](ARMED_GROUP) [Sow](PERSON) [Sow](LOCATION)"
    assert fit_lookup([make_article(marked=marks)]).surfaces == {"Gao": ("LOCATION", 2 / 3), "Sow": ("LOCATION", 1 / 2)}


@pytest.mark.parametrize(
    ("text", "surfaces"),
    [
        ("In Gao.", ["Gao"]),
        ("In Gao City, near Gao", ["Gao City", "Gao"]),
        ("gao GAO Gaoul NewGao Gao_1", []),
        ("(Gao)-Gao", ["Gao", "Gao"]),
        ("Paid $5 (U.S.) to U.S. troops", ["U.S.", "U.S."]),
        ("في غزة اليوم", ["غزة"]),
        ("", []),
    ],
)
def test_whole_words_longest_first(text, surfaces):
    reader = fit_lookup([make_article(marked="[Gao](LOCATION) [Gao City](LOCATION) [U.S.](LOCATION) [غزة](LOCATION)")])
    assert [surface for surface, _, _ in found(reader, text)] == surfaces


def test_gold_is_not_looked_at_and_ids_and_order_are_kept():
    reader = fit_lookup([make_article(marked="[Gao](LOCATION)")])
    articles = [make_article("2", "[Amina](PERSON) in Gao", extra={"n": 1}), make_article("1", "Rain.")]
    read = list(reader.read(articles))
    assert [(article.id, article.text, article.extra) for article in read] == [("2", "Amina in Gao", {"n": 1}), ("1", "Rain.", {})]
    assert [[span.label for span in article.spans] for article in read] == [["LOCATION"], []]


def test_nothing_learnt_finds_nothing():
    assert found(fit_lookup([]), "In Gao.") == []


def test_saved_and_loaded_reader_is_the_same(tmp_path):
    reader = fit_lookup([make_article(marked="[Ségou](LOCATION) [غزة](LOCATION) [Gao\nCity](LOCATION) [Gao](PERSON) [Gao](LOCATION)")])
    reader.save(tmp_path / "checkpoint")
    assert load_lookup(tmp_path / "checkpoint") == reader == LookupReader(reader.surfaces)
    assert "Ségou" in (tmp_path / "checkpoint" / "lookup.json").read_text(encoding="utf-8")

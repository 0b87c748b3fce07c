"""The pages: what they show of a run and of a comparison, nothing runs that an article brings, nothing is fetched, sizes are kept."""

import html
import re

import pytest
from factories import LABELS, ROOT, make_article, make_run, make_task, refused
from reporting import HOSTILE, MORE, TOPICS, evaluated_run, make_comparison, open_page

from sitrep.articles import Article, Span
from sitrep.comparison import compare_runs
from sitrep.reports.articles import pair_up, show_articles
from sitrep.reports.comparison import MAX_MENTIONS, write_comparison_report
from sitrep.reports.pages import rows_of, share_out, write_text
from sitrep.reports.run import MAX_ARTICLES, write_run_report
from sitrep.runs import write_json

GOLD = make_article("a1", "[Ali](PERSON) went to [Gao](LOCATION).\n\nThe [Front](ARMED_GROUP) left [Mopti](LOCATION).")
PRED = make_article("a1", "[Ali](PERSON) went to [Gao](ARMED_GROUP).\n\nThe [Front](ARMED_GROUP) left Mopti.")
CALM = (make_article("a2", "[Rain](LOCATION) fell."), make_article("a2", "[Rain](LOCATION) fell."))
NER = {"task__labels": list(LABELS)}


@pytest.fixture
def ner_page(tmp_path):
    return lambda pairs, *names, **options: open_page(write_run_report(evaluated_run(tmp_path / "m" / "r", pairs, *names, **NER | options)))


def test_a_run_shows_scores_articles_history_config_and_provenance(ner_page):
    page = ner_page([(GOLD, PRED), CALM], "test", "dev")
    assert [text.split()[-1] for text in page.texts("h2") if text.startswith("Scores")] == ["test", "dev"]
    assert "66.7" in "".join(page.texts("div", class_="tiles"))  # micro F1: 3 right, 1 in vain, 2 missed
    assert "1?" in page.texts("tr")[1]  # PERSON stands once: too few to tell
    assert page.texts("th", scope="row").count("trainer.epochs") == 1
    assert page.texts("th", scope="row").count("versions.torch") == 1
    assert "epoch 3: 0.8" in page.texts("title")


def test_scores_on_dev_are_called_optimistic(ner_page):
    notes = ner_page([(GOLD, PRED), CALM], "test", "dev").texts("p", class_="note")
    assert sum(note.startswith("Optimistic: ") for note in notes) == 1


def test_articles_are_marked_side_by_side_with_the_kind_of_each_mistake(ner_page):
    page = ner_page([CALM, (GOLD, PRED)])
    assert [text.split()[0] for text in page.texts("h3") if "wrong" in text] == ["a1", "a2"]  # worst first
    assert page.texts("b", class_="label", data_m="1.1 2.1") == ["GaoLOCATION · wrong label", "GaoARMED_GROUP · wrong label"]
    assert page.texts("b", class_="missed", data_m="1.7") == ["MoptiLOCATION · missed"]
    assert page.texts("p", class_="text")[2:4] == ["The FrontARMED_GROUP left MoptiLOCATION · missed.", "The FrontARMED_GROUP left Mopti."]


def test_nested_crossing_and_repeated_spans_are_shown_each_once(ner_page):
    spans = (Span(0, 8, "PERSON"), Span(2, 5, "LOCATION"), Span(4, 12, "PERSON"), Span(4, 12, "PERSON"))
    page = ner_page([(Article("a", "abcdefghijklmno", spans), Article("a", "abcdefghijklmno", spans[:3]))])
    left, right = page.texts("p", class_="text")
    assert left.count("PERSON") == 3 and left.count("missed") == 1 and right.count("PERSON") == 2
    assert re.sub("PERSON|LOCATION| · missed", "", left) == "abcdefghijklmno"


def test_class_fields_show_labels_with_scores(tmp_path):
    gold = Article("a1", "Text.", labels={"topics": ("war",)})
    pred = Article("a1", "Text.", labels={"topics": ("peace",)}, scores={"topics": {"war": 0.25, "peace": 0.75}})
    page = open_page(write_run_report(evaluated_run(tmp_path / "m" / "r", [(gold, pred)], **TOPICS)))
    assert page.texts("dd") == ["warmissed · 0.25 ", "peacespurious · 0.75 "]
    assert page.texts("p", class_="text alone") == ["Text."]
    assert "Average precision" in page.texts("h3")


def test_a_wrong_label_of_a_multi_class_field_is_one_mistake(tmp_path):
    options = {**TOPICS, "task__kind": "multi-class", "task__field": "region", "task__thresholds": None}
    gold, pred = (Article("a1", "Text.", labels={"region": (label,)}) for label in ("war", "peace"))
    page = open_page(write_run_report(evaluated_run(tmp_path / "m" / "r", [(gold, pred)], **options)))
    assert page.texts("b", data_m="0.1 1.1") == ["warwrong label", "peacewrong label"]


def test_what_metrics_hold_besides_is_shown(ner_page):
    page = ner_page([(GOLD, PRED)], more=MORE)
    rows = ["|".join(row.split()) for row in page.texts("tr")]
    assert "Mopti" in "".join(page.texts("td", class_="words"))
    assert page.texts("td", class_="h8 diagonal") == ["5"] and page.texts("td", class_="h2") == ["1"]
    assert page.texts("a", href="#e0-a0") == ["a1", "a1"] and "gone" in page.texts("th")  # in the table, and above the article
    assert any("0.88" in row and "a9" in row for row in rows)
    assert any("nested" in row for row in rows) and "Recall can reach 75.0" in "".join(page.texts("p"))
    assert page.texts("figcaption")[:2] == ["as it came: ECE 12.5 (10.0-20.0)", "calibrated: ECE 12.5 (10.0-20.0)"]


def test_what_metrics_do_not_hold_leaves_no_heading(ner_page):
    page = ner_page([(GOLD, PRED)], more=dict.fromkeys(MORE))
    assert "Scores" in page.texts("a") and "By label" in page.texts("h3")
    assert not {"Coverage", "Calibration"} & set(page.texts("a"))
    assert not {"Which label for which", "Most frequent", "Worst articles", "Seen in training, and not"} & set(page.texts("h3"))


def test_a_long_ledger_says_what_it_leaves_out(ner_page):
    page = ner_page([(GOLD, PRED)], more={"recall_ceiling": 0.5, "ledger": MORE["ledger"] * 501})
    assert "first 500 of 501" in page.texts("p", class_="warning")[0] and page.texts("td").count("nested") == 500


def test_an_evaluation_that_cannot_be_shown_is_named(tmp_path):
    run = evaluated_run(tmp_path / "m" / "r", [(GOLD, PRED)], "test", "dev", "old", **NER)
    (run.path / "gold" / "test.jsonl").unlink()
    write_json(run.metrics_path("old"), {**run.metrics("old"), "schema_version": 1})
    page = open_page(write_run_report(run))
    missing, old = page.texts("p", class_="warning")
    assert missing.startswith("'test' is not shown") and "another version" in old
    assert [text for text in page.texts("h2") if text.startswith("Scores")] == ["Scores on dev"]


@pytest.mark.parametrize("damage", [{"strict": {}}, {"strict": {"micro": {}}}, {"seconds": ...}])
def test_an_evaluation_that_lacks_what_is_shown_is_named(tmp_path, damage):
    run = evaluated_run(tmp_path / "m" / "r", [(GOLD, PRED)], "test", "mine", **NER)
    damaged = {**run.metrics("mine"), **damage}
    write_json(run.metrics_path("mine"), {key: value for key, value in damaged.items() if value is not ...})
    page = open_page(write_run_report(run))
    (problem,) = page.texts("p", class_="warning")
    assert problem.startswith("'mine' is not shown") and next(iter(damage)) in problem and "evaluate again" in problem
    assert [text for text in page.texts("h2") if text.startswith("Scores")] == ["Scores on test"]


def test_a_run_without_evaluations_and_one_without_history(tmp_path):
    run = make_run(tmp_path / "m" / "r")
    assert "no evaluation" in "".join(open_page(write_run_report(run)).texts("p"))
    run.append_history({"epoch": 1.0, "step": 5, "loss": 0.5, "seconds": 1.0})
    assert "Too few for a curve" in "".join(open_page(write_run_report(run)).texts("p"))


def test_an_empty_evaluation_and_an_empty_text(ner_page):
    empty = Article("e", "")
    assert "no wrong" in "".join(ner_page([(empty, empty)]).texts("h3"))


def test_a_set_without_articles(ner_page):
    page = ner_page([])
    assert "n/a" in "".join(page.texts("div", class_="tiles")) and "0 articles" in "".join(page.texts("p"))


def test_hostile_content_is_text(tmp_path):
    label = f"L{HOSTILE}"
    article = Article(f"id{HOSTILE}", f"{HOSTILE} text", (Span(0, 8, label),))
    more = {
        "frequent_mistakes": [{"kind": "missed", "gold": label, "pred": None, "surface": HOSTILE, "n": 2}],
        "worst_articles": [{"id": f"id{HOSTILE}", "tp": 0, "fp": 0, "fn": 1, "f1": 0.0}],
        "ledger": [{"article_id": HOSTILE, "start": 0, "end": 1, "label": label, "text": HOSTILE, "reason": HOSTILE}],
        "recall_ceiling": 0.5,
    }
    options = {"task__labels": [label], "model__name": HOSTILE, "data__path": HOSTILE}
    run = evaluated_run(
        tmp_path / "m" / "r", [(article, article), (Article("b", "x", (Span(0, 1, label),)), Article("b", "x"))], more=more, **options
    )
    page = open_page(write_run_report(run))
    assert page.count("script") == page.count("style") == 1 and page.count("img") == 0
    assert page.texts("td", class_="words") == [HOSTILE, HOSTILE]
    assert f"id{HOSTILE}" in page.texts("bdi") and HOSTILE in page.texts("td")
    assert not [name for _, attributes, _ in page.elements for name in attributes if name.startswith("on") or name == "style"]


def test_nothing_is_fetched(tmp_path):
    run = evaluated_run(tmp_path / "m" / "r", [(GOLD, PRED)], **NER)
    for path in (write_run_report(run), write_comparison_report(make_comparison(), tmp_path / "comparison.html")):
        page = open_page(path)
        (policy,) = [found["content"] for tag, found, _ in page.elements if tag == "meta" and found.get("http-equiv")]
        assert policy.startswith("default-src 'none'; script-src 'sha256-") and "unsafe" not in policy
        addresses = [value for _, attributes, _ in page.elements for name, value in attributes.items() if name in ("src", "href")]
        assert addresses and all(address.startswith("#") for address in addresses)
        assert not re.search(r"url\(|@import|https?:", path.read_text())


def test_half_a_surrogate_pair_does_not_stop_a_page(tmp_path):
    write_text(tmp_path / "page.html", "a\ud800b")
    assert (tmp_path / "page.html").read_bytes() == b"a&#55296;b"
    article = Article("a", "a\ud800b", (Span(1, 2, "PERSON"),))
    assert len(show_articles([(article, article)], make_task(), 9, 1e6).shown) == 1


def long_article(number: int) -> Article:
    text = "\n\n".join("Envoys met in Gao on Monday and left by road. " * 12 for _ in range(6))
    spans = tuple(Span(start, start + 6, LABELS[start % 3]) for start in range(0, len(text) - 36, 36))
    return Article(f"n{number}", text, spans)


def test_200_articles_stay_below_5_mb_and_more_say_so(tmp_path):
    articles = [long_article(number) for number in range(MAX_ARTICLES + 1)]
    assert 3000 < len(articles[0].text) < 3500 and len(articles[0].spans) > 90  # more than any corpus that we know
    pairs = [(article, Article(article.id, article.text, article.spans[number % 7 :: 2])) for number, article in enumerate(articles)]
    whole = write_run_report(evaluated_run(tmp_path / "m" / "200", pairs[:MAX_ARTICLES], **NER))
    assert open_page(whole).count("article") == MAX_ARTICLES and whole.stat().st_size < 5_000_000
    page = open_page(write_run_report(evaluated_run(tmp_path / "m" / "201", pairs, **NER)))
    assert page.count("article") == MAX_ARTICLES
    assert "Shown are the 200 of 201 articles with most mistakes" in page.texts("p", class_="warning")[0]


def test_quotes_which_a_page_writes_longer_are_counted_so():
    text = '"It\'s A&B" ' * 400
    pairs = [(Article(str(number), text), Article(str(number), text)) for number in range(9)]
    shown = show_articles(pairs, make_task(), 9, 100_000).shown
    assert len(shown) > 1 and 2 * len(shown) * len(html.escape(text)) < 100_000


def test_what_is_shown_is_shared_out_and_kept_small():
    assert share_out([300, 20, 0], 200) == [180, 20, 0] and share_out([90, 300, 300], 200) == [66, 67, 67] and share_out([], 200) == []
    pairs = [(long_article(number), Article(f"n{number}", long_article(number).text)) for number in range(3)]
    assert len(show_articles(pairs, make_task(), 9, 40_000).shown) == 2
    assert len(show_articles(pairs, make_task(), 9, 1).shown) == 1


def test_gold_and_predictions_must_belong_together():
    with refused("1 and 0 articles", "'a1'"):
        pair_up([GOLD], [])
    with refused("'a1'"):
        pair_up([GOLD], [Article("a1", "another text")])


def test_a_config_is_flattened():
    assert rows_of({"a": {"b": [1, None], "c": "x"}, "d": True}) == [("a.b", "[1, null]"), ("a.c", "x"), ("d", "true")]


def test_a_comparison_shows_differences_and_what_changed(tmp_path):
    page = open_page(write_comparison_report(make_comparison(text=HOSTILE), tmp_path / "comparison.html"))
    sure = page.texts("tr", class_="sure")
    assert len(sure) == 1 and sure[0].startswith("PERSON") and "+10.0*" in sure[0] and "-5.0 to +20.0" in sure[0]
    assert page.texts("tr", data_m="1.0.0")[0].startswith(f"fixedin {HOSTILE} on")
    assert page.count("script") == 1 and page.count("img") == 0
    assert any(row.startswith("trainer.epochs510") for row in page.texts("tr"))
    assert any("n/a" in row for row in page.texts("tr") if row.startswith("macro"))


def test_a_comparison_of_runs_is_shown(tmp_path):
    a = evaluated_run(tmp_path / "a" / "1", [(GOLD, PRED), CALM], **NER)
    b = evaluated_run(tmp_path / "b" / "1", [(GOLD, GOLD), CALM], **NER, trainer__epochs=99)
    page = open_page(write_comparison_report(compare_runs([a, b], "test"), tmp_path / "comparison.html"))
    rows = page.texts("tr")
    assert any(row.startswith("trainer.epochs") and row.endswith("99") for row in rows) and page.texts("td", class_="n").count("123") == 2
    assert [row for row in rows if row.startswith("fixed")][-1].endswith("left Mopti.LOCATIONmisseda1")


def test_a_comparison_of_several_seeds_says_how_many_make_a_mistake(tmp_path):
    runs = [evaluated_run(tmp_path / str(seed), [(GOLD, pred), CALM], **NER, seed=seed) for seed, pred in ((1, PRED), (2, GOLD))]
    b = evaluated_run(tmp_path / "b", [(GOLD, GOLD), CALM], **NER, trainer__epochs=99)
    comparison = compare_runs([*runs, b], "test")
    page = open_page(write_comparison_report(comparison, tmp_path / "comparison.html"))
    fixed = [row for row in page.texts("tr") if row.startswith("fixed")]
    assert len(fixed) == 2 * comparison["differences"][0]["n_fixed"] > 0 and all(row.endswith("50 %, 0 %") for row in fixed)
    assert any("on average over pairs of their seeds" in text for text in page.texts("p"))


def test_a_comparison_of_many_mentions_says_what_it_leaves_out(tmp_path):
    page = open_page(write_comparison_report(make_comparison(MAX_MENTIONS), tmp_path / "comparison.html"))
    assert f"{MAX_MENTIONS} of them" in page.texts("p", class_="warning")[0] and len(page.texts("tr", data_m="1.0.0")) == MAX_MENTIONS - 1
    page = open_page(write_comparison_report(make_comparison(MAX_MENTIONS - 1), tmp_path / "comparison.html"))
    assert page.texts("p", class_="warning") == [] and len(page.texts("tr", data_m="1.0.0")) == MAX_MENTIONS - 1


def test_a_comparison_of_class_fields_names_articles(tmp_path):
    page = open_page(write_comparison_report(make_comparison(kind="multi-label"), tmp_path / "comparison.html"))
    assert "Labels that B fixed and broke" in page.texts("h3") and page.texts("tr", data_m="1.0.0") == ["fixeda-GaoLOCATIONmissed"]


def schemes():
    """Return the colours of each scheme of the style sheet: variable -> red, green, blue; light, dark, print."""
    style = (ROOT / "src/sitrep/reports/templates/style.css").read_text()
    found = [dict(re.findall(r"--([\w-]+): (#\w{6});", block)) for block in re.findall(r":root \{(.*?)\n *\}", style, re.DOTALL)]
    assert len(found) == 3
    return [
        {name: [int(value[i : i + 2], 16) / 255 for i in (1, 3, 5)] for name, value in {**found[0], **scheme}.items()} for scheme in found
    ]


def contrast(one, other):
    """Return the contrast ratio of two colours (WCAG 2.2)."""

    def luminance(colour):
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_colours_are_readable_in_light_dark_and_print():
    assert round(contrast([0, 0, 0], [1, 1, 1])) == 21
    marks = [(f"{name}-ink", name) for name in ("missed", "spurious", "label", "bounds", "good")]
    pairs = [(ink, ground) for ink in ("ink", "muted", "accent") for ground in ("page", "panel")] + marks
    low = [(ink, ground, contrast(colours[ink], colours[ground])) for colours in schemes() for ink, ground in pairs]
    assert not [entry for entry in low if entry[2] < 4.5]

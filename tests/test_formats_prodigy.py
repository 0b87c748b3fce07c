import json

import pytest
from factories import make_article, refused, texts, write_files
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import KEYS, articles, as_lines, check_law

from sitrep.articles import Article, Span
from sitrep.formats import prodigy, read_articles
from sitrep.formats.faults import NOT_LABELLED, OUTSIDE, PREDICTED, SURFACE, Losses
from sitrep.formats.prodigy_tokens import tokenize, with_tokens
from sitrep.formats.writing import Target

TEXT = "Gunmen in Gao shot."
TOKENS = [
    {"text": "Gunmen", "start": 0, "end": 6, "id": 0, "ws": True}, {"text": "in", "start": 7, "end": 9, "id": 1, "ws": True},
    {"text": "Gao", "start": 10, "end": 13, "id": 2, "ws": True}, {"text": "shot", "start": 14, "end": 18, "id": 3, "ws": False},
    {"text": ".", "start": 18, "end": 19, "id": 4, "ws": False},
]  # fmt: skip
GAO = {"start": 10, "end": 13, "token_start": 2, "token_end": 2, "label": "LOCATION"}
ONLY_TOKENS = {key: value for key, value in GAO.items() if key not in ("start", "end")}


def answer(*spans, answer="accept", by="news-amina", text_hash=1, task_hash=2, view="ner_manual", **more):
    about = {"_input_hash": text_hash, "_task_hash": task_hash, "_is_binary": False, "_view_id": view, "_timestamp": 1772352000}
    about |= {"_annotator_id": by, "_session_id": by} if by else {}
    return {"text": TEXT, **about, "tokens": TOKENS, "spans": list(spans), "answer": answer, **more}


@pytest.fixture
def read(tmp_path):
    def read_rows(*rows, **options):
        write_files(tmp_path, {"out.jsonl": rows[0] if isinstance(rows[0], (str, bytes)) else as_lines(rows)})
        return list(read_articles(tmp_path / "out.jsonl", format="prodigy", **options))

    return read_rows


def test_answers_as_prodigy_writes_them(read):
    lost = Losses(keep=9)
    rows = [
        answer(GAO, meta={"source": "wire"}, id="mali-1", url="u"),
        answer(answer="reject", text_hash=2),
        answer(answer="ignore", text_hash=3),
    ]
    (article,) = read(*rows, lose=lost)
    assert (article.id, article.text, article.spans) == ("mali-1", TEXT, (Span(10, 13, "LOCATION"),))
    assert article.extra == {"meta": {"source": "wire"}, "url": "u"}
    assert [(loss.article_id, loss.what) for loss in lost.kept] == [("out:2", "rejected answers"), ("out:3", "ignored answers")]


def test_a_task_without_an_answer_is_read_as_it_stands(read):
    assert [article.spans for article in read({"text": TEXT, "spans": [GAO]}, {"text": TEXT})] == [(Span(10, 13, "LOCATION"),), ()]


def test_choices_and_labels(read):
    lost = Losses()
    options = [{"id": "air", "text": "Air strike"}, {"id": "raid", "text": "Raid"}]
    several = answer(options=options, accept=["air", "raid"], config={"choice_style": "multiple"}, view="choice")
    none = answer(options=options, accept=[], text_hash=2, view="choice")
    pattern = {"start": 0, "end": 6, "pattern": 3}
    yes = answer(pattern, label="raid", text_hash=3, view="classification")
    no = answer(label="air", text_hash=3, task_hash=4, view="classification", answer="reject")
    also = answer(label="sea", text_hash=3, task_hash=5, view="classification")
    assert [article.labels for article in read(several, none, yes, no, also, lose=lost)] == [
        {"topics": ("air", "raid")}, {"topics": ()}, {"topics": ("raid", "sea")},
    ]  # fmt: skip
    assert lost.counts == {"rejected answers": 1, "spans without a label": 1}


def test_yeses_to_one_mention_at_a_time_make_one_article(read):
    gunmen = {"start": 0, "end": 6, "label": "GROUP"}
    rows = [answer(GAO, view="ner"), answer(gunmen, view="ner", task_hash=3), answer(GAO, view="ner", task_hash=4)]
    (article,) = read(*rows)
    assert article.spans == (Span(10, 13, "LOCATION"), Span(0, 6, "GROUP"))


def test_whose_answers_count(read):
    gunmen = {"start": 0, "end": 6, "label": "GROUP"}
    rows = [answer(GAO), answer(gunmen, by="news-ben"), answer(answer="ignore", by="news-ben", text_hash=2), answer(by=None, text_hash=3)]
    with refused("out.jsonl:1: article 'out:1' was labelled by 2 people (news-amina, news-ben)", "annotator="):
        read(*rows, lose=Losses())
    lost = Losses(keep=9)
    (article,) = read(*rows, annotator="news-ben", lose=lost)
    assert article.spans == (Span(0, 6, "GROUP"),)
    assert lost.counts == {"annotations of others": 2, "ignored answers": 1}
    with refused("annotator='ben' labelled nothing here", "news-ben"):
        read(*rows, annotator="ben")
    lost = Losses()
    assert read(answer(gunmen), answer(GAO, task_hash=9), lose=lost)[0].spans == (Span(10, 13, "LOCATION"),)
    assert lost.counts == {"earlier annotations": 1}


def test_tokens_stand_in_for_offsets_and_must_agree_with_them(read):
    assert read(answer(ONLY_TOKENS))[0].spans == (Span(10, 13, "LOCATION"),)
    wide = {**ONLY_TOKENS, "token_start": 1}
    assert read(answer(wide))[0].surface(Span(7, 13, "LOCATION")) == "in Gao"
    faults = []
    wrong = answer({**GAO, "token_end": 3})
    with refused("out.jsonl:1: article 'out:1': span LOCATION is [10, 13) 'Gao' by its offsets, but [10, 18) by its tokens"):
        read(wrong)
    assert read(wrong, report=faults.append)[0].spans == (Span(10, 13, "LOCATION"),) and faults[0].kind == SURFACE
    with refused("a span from token 2 to 7, but the row has 5 tokens"):
        read(answer({**GAO, "token_end": 7}))
    outside = {"start": 15, "end": 90, "label": "X"}
    assert read(answer(outside), report=faults.append)[0].spans == () and faults[1].kind == OUTSIDE


def test_bad_rows_are_rejected_one_by_one(read):
    rejected = []
    bad = [
        5, {"image": "x.png"}, answer(answer="maybe"), answer(spans=5), answer({"start": 1}), answer({"start": 1, "end": 3, "label": 5}),
        answer(accept="air"), answer(label=5), answer({**GAO, "token_start": "a"}), answer(ONLY_TOKENS, tokens=[{}] * 5),
        answer({**GAO, "score": "high"}), answer(id=[]),
    ]  # fmt: skip
    rows = [{**row, "_input_hash": number} if isinstance(row, dict) else row for number, row in enumerate([answer(), *bad, answer()])]
    assert [article.source.line for article in read(*rows, reject=rejected.append)] == [1, 14]
    assert sorted(error.source.line for error in rejected) == list(range(2, 14))


def test_relations_are_lost_and_ids_that_stand_twice_are_kept(read):
    lost = Losses()
    rows = [answer(relations=[{"head": 0, "child": 2, "label": "in"}], id=1, text_hash=number) for number in (1, 2)]
    assert [article.id for article in read(*rows, lose=lost)] == ["1", "1"] and lost.counts == {"relations": 2}


def test_a_mark_of_byte_order_and_windows_line_ends(read):
    assert read("\ufeff" + as_lines([answer(GAO)]).replace("\n", "\r\n"))[0].spans == (Span(10, 13, "LOCATION"),)


@given(text=texts(max_size=30), data=st.data())
def test_tokens_make_the_text_again_and_spans_begin_and_end_with_one(text, data):
    bounds = st.tuples(st.integers(0, len(text)), st.integers(0, len(text))).filter(lambda pair: pair[0] < pair[1])
    spans = [Span(*pair, "X") for pair in data.draw(st.lists(bounds, max_size=4))] if text else []
    tokens = tokenize(text, spans)
    assert "".join(token["text"] + " " * token["ws"] for token in tokens) == text
    assert [token["id"] for token in tokens] == list(range(len(tokens)))
    assert all(token["text"] == text[token["start"] : token["end"]] != "" for token in tokens)
    for span, row in zip(spans, with_tokens(spans, tokens), strict=True):
        assert (tokens[row["token_start"]]["start"], tokens[row["token_end"]]["end"]) == (span.start, span.end)


def test_tokens_are_words_as_a_reader_sees_them():
    spans = [Span(8, 11, "X"), Span(0, 4, "Y")]
    assert [(token["text"], token["ws"]) for token in tokenize("Men in  Gao's town. ", spans)] == [
        ("Men", False), (" ", False), ("in", True), (" ", False), ("Gao", False), ("'", False), ("s", True), ("town", False), (".", True),
    ]  # fmt: skip


OWN_KEYS = KEYS | st.sampled_from(["meta", "answer", "_view_id", "relations"])


@settings(max_examples=100, deadline=None)
@given(written=st.lists(articles(extra=OWN_KEYS), max_size=4, unique_by=lambda article: article.id))
def test_the_law(tmp_path_factory, written):
    lost = check_law("prodigy", written, tmp_path_factory.mktemp("law") / "tasks.jsonl")
    assert {loss.what for loss in lost} <= {"class labels of région", "class scores", "other fields"}


def test_what_is_written(tmp_path):
    hand = make_article("a", "Gunmen in [Gao](LOCATION) shot.", labels={"topics": ("raid",)}, extra={"url": "u"})
    model = Article("b", TEXT, (Span(10, 13, "LOCATION", 0.75),), extra={"meta": {"source": "wire"}})
    prodigy.write([hand, model], tmp_path / "a.jsonl", Target(Losses(), "sitrep-ner 3"))
    one, two = map(json.loads, (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines())
    assert one == {"id": "a", "text": TEXT, "tokens": TOKENS, "spans": [GAO], "accept": ["raid"], "url": "u", "answer": "accept"}
    assert two == {
        "id": "b", "text": TEXT, "tokens": TOKENS, "spans": [{**GAO, "score": 0.75}],
        "meta": {"source": "wire", "score": 0.75, "model": "sitrep-ner 3"},
    }  # fmt: skip


def test_tasks_without_an_answer_are_told_before_they_come(read):
    rows = [answer(GAO, text_hash=number) for number in (1, 2)] + [answer(text_hash=3)]
    del rows[1]["answer"], rows[2]["answer"]
    told = {}
    assert [article.id for article in read(*rows, unlabelled=told.__setitem__)] == ["out:1", "out:2", "out:3"]
    assert told == {"out:2": PREDICTED, "out:3": NOT_LABELLED}

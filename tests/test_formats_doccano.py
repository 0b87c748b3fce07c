import pytest
from factories import make_article, refused, texts, write_files
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import articles, as_lines, check_law

from sitrep.articles import Span
from sitrep.formats import doccano, read_articles
from sitrep.formats.faults import OUTSIDE, Losses
from sitrep.formats.units import Utf16
from sitrep.formats.writing import Target

TEXT = "Gunmen in Gao shot at Mopti."
GAO = Span(10, 13, "LOCATION")


@pytest.fixture
def read(tmp_path):
    def read_rows(*rows, **options):
        write_files(tmp_path, {"export.jsonl": rows[0] if isinstance(rows[0], (str, bytes)) else as_lines(rows)})
        return list(read_articles(tmp_path / "export.jsonl", format="doccano", **options))

    return read_rows


@pytest.mark.parametrize(
    ("marks", "labels"),
    [
        ({"label": [[10, 13, "LOCATION"]], "Comments": []}, {}),
        ({"labels": [[10, 13, "LOCATION"]]}, {}),
        ({"entities": [{"id": 3, "label": "LOCATION", "start_offset": 10, "end_offset": 13}], "relations": [], "Comments": []}, {}),
        ({"entities": [[10, 13, "LOCATION"]], "cats": ["shooting"]}, {"topics": ("shooting",)}),
    ],
)
def test_each_kind_of_project(read, marks, labels):
    (article,) = read({"id": 12, "text": TEXT, **marks, "url": "u"})
    assert (article.id, article.text, article.extra) == ("12", TEXT, {"url": "u"})
    assert article.spans == (GAO,) and article.labels == labels


def test_classification_and_what_is_lost(read):
    lost = Losses(keep=9)
    relation = {"id": 1, "from_id": 3, "to_id": 4, "type": "in"}
    classified = {"id": 1, "text": TEXT, "label": ["shooting", "raid"], "Comments": ["sure?", "yes"]}
    one, two = read(classified, {"id": 2, "text": TEXT, "entities": [], "relations": [relation]}, lose=lost)
    assert one.labels == {"topics": ("shooting", "raid")} and two.labels == {}
    assert lost.counts == {"comments": 2, "relations": 1}


def test_whose_id_an_example_has(read):
    # doccano gives back at the top level what came with the text; before 1.5 it stood under `meta`
    old = {"id": 3, "text": TEXT, "meta": {"id": "mali-1", "url": "u"}, "annotation_approver": None, "labels": []}
    new = {"id": "mali-2", "text": TEXT, "label": [], "meta": {"id": "other"}}
    assert [article.id for article in read(old, new, {"text": TEXT})] == ["mali-1", "mali-2", "export:3"]
    assert read(old, id_field="url")[0].id == "u"
    with refused("export.jsonl:1: no 'nr', which id_field= names"):
        read(new, id_field="nr")
    assert read({"body": TEXT}, text_field="body")[0].text == TEXT


def test_offsets_are_utf16_units(read, caplog):
    text = "👨🏻\u200d🚒 firemen drive firetrucks"
    (article,) = read({"id": 1, "text": text, "label": [[22, 32, "TRUCK"]]})
    assert article.surface(article.spans[0]) == "firetrucks"
    assert "1 marked texts hold emoji" in caplog.text and "UTF-16 units" in caplog.text
    faults = []
    cut = {"id": 1, "text": text, "label": [[1, 5, "X"], [22, 32, "TRUCK"], [30, 40, "Y"]]}
    with refused("export.jsonl:1: article '1': span X [1, 5) cuts a character in two"):
        read(cut)
    assert len(read(cut, report=faults.append)[0].spans) == 1 and [fault.kind for fault in faults] == [OUTSIDE, OUTSIDE]


@given(text=texts(), data=st.data())
def test_units_and_code_points_are_two_ways_to_count(text, data):
    utf16 = Utf16(text)
    offset = data.draw(st.integers(0, len(text)))
    assert utf16.units(offset) == len(text[:offset].encode("utf-16-le")) // 2
    assert utf16.points(utf16.units(offset)) == offset
    inside = [at for at in range(utf16.units(len(text))) if utf16.points(at) is None]
    assert len(inside) == sum(character > "\uffff" for character in text)


def test_bad_rows_are_rejected_one_by_one(read):
    rejected = []
    bad = [
        5, {"text": 5}, {"text": TEXT, "label": "x"}, {"text": TEXT, "label": [[1, 2]]}, {"text": TEXT, "label": [["a", 2, "X"]]},
        {"text": TEXT, "labels": [[1, 2, 7]]}, {"text": TEXT, "entities": [{"start_offset": 1}]}, {"id": True, "text": TEXT},
        {"text": TEXT, "label": [[20, 90, "X"]]}, {"text": TEXT, "label": [[3, 3, "X"]]},
    ]  # fmt: skip
    assert [article.id for article in read({"id": 1, "text": TEXT}, *bad, {"id": 1, "text": TEXT}, reject=rejected.append)] == ["1", "1"]
    assert [error.source.line for error in rejected] == list(range(2, 12))


def test_a_mark_of_byte_order_and_windows_line_ends(read):
    content = "\ufeff" + as_lines([{"id": 1, "text": "In\r\nGao", "label": [[4, 7, "Große Stadt"]]}]).replace("\n", "\r\n\r\n")
    assert read(content)[0].spans == (Span(4, 7, "Große Stadt"),)


@settings(max_examples=100, deadline=None)
@given(written=st.lists(articles(), max_size=4, unique_by=lambda article: article.id))
def test_the_law(tmp_path_factory, written):
    lost = check_law("doccano", written, tmp_path_factory.mktemp("law") / "rows.jsonl")
    assert {loss.what for loss in lost} <= {"class labels of région", "scores"}


def test_what_is_written(tmp_path):
    lost = Losses(keep=9)
    hand = make_article("a", "🚁 In [Gao](LOCATION).", labels={"topics": ("air",), "region": ("sahel",)}, extra={"url": "u", "label": "x"})
    doccano.write([hand], tmp_path / "a.jsonl", Target(lost))
    assert (tmp_path / "a.jsonl").read_text(encoding="utf-8") == as_lines(
        [{"id": "a", "text": "🚁 In Gao.", "label": [[6, 9, "LOCATION"]], "cats": ["air"], "url": "u"}]
    )
    assert [(loss.what, loss.detail) for loss in lost.kept] == [("class labels of region", "sahel"), ("other fields", "label")]

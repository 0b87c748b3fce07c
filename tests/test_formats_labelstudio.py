import gzip
import json
import logging

import pytest
from factories import refused, texts, write_files
from hypothesis import given
from hypothesis import strategies as st

from sitrep.articles import Span
from sitrep.formats import list_files, read_articles
from sitrep.formats.faults import NOT_LABELLED, PREDICTED, SKIPPED, SURFACE, Losses

TEXT = "Gunmen in Gao 🚁 shot at Mopti.\nRain fell."


def region(start, end, text, *labels, kind="labels", **more):
    value = {"start": start, "end": end, "text": text, kind: list(labels)}
    return {"id": f"r{start}", "from_name": "label", "to_name": "text", "type": kind, "origin": "manual", "value": value, **more}


def choice(name, *choices, **more):
    value = {"choices": list(choices)}
    return {"id": name, "from_name": name, "to_name": "text", "type": "choices", "origin": "manual", "value": value, **more}


def annotation(*results, by=1, **more):
    about = {"was_cancelled": False, "ground_truth": False, "created_at": "2026-03-01T09:00:00Z", "lead_time": 4.2, "result_count": 1}
    return {"id": 9, "completed_by": by, "result": list(results), **about, **more}


def task(*annotations, number=7, data=None, **more):
    about = {"drafts": [], "predictions": [], "meta": {}, "project": 3, "inner_id": 1, "created_at": "2026-03-01T08:00:00Z"}
    return {"id": number, "annotations": list(annotations), "data": data or {"text": TEXT}, **about, **more}


@pytest.fixture
def read(tmp_path):
    def read_tasks(*tasks, **options):
        content = tasks[0] if isinstance(tasks[0], (str, bytes)) else json.dumps(tasks, indent=2, ensure_ascii=False)
        write_files(tmp_path, {"export.json": content})
        return list(read_articles(tmp_path / "export.json", **options))

    return read_tasks


def test_a_full_export_as_label_studio_writes_it(read):
    lost = Losses(keep=9)
    first = task(
        annotation(region(10, 13, "Gao", "LOCATION"), region(24, 29, "Mopti", "LOCATION", "TOWN"), choice("topics", "shooting", "air")),
        data={"id": "mali-1", "text": TEXT, "url": "u", "meta_info": {"n": 1}},
    )
    second = task(annotation(choice("region", "sahel"), by={"id": 4, "email": "amina@example.org"}), number=8)
    one, two = read(first, second, lose=lost)
    assert one.id == "mali-1" and one.extra == {"url": "u", "meta_info": {"n": 1}}
    assert one.spans == (Span(10, 13, "LOCATION"), Span(24, 29, "LOCATION"), Span(24, 29, "TOWN"))
    assert two.id == "8" and two.text == TEXT and not lost.counts
    # nobody chose a topic for the second: a person who labelled it left that field empty
    assert one.labels == {"topics": ("shooting", "air"), "region": ()} and two.labels == {"region": ("sahel",), "topics": ()}


def test_offsets_in_utf16_units_are_told_by_what_is_marked(read, caplog):
    old = task(annotation(region(10, 13, "Gao", "A"), region(25, 30, "Mopti", "B"), region(32, 36, None, "C")))
    (article,) = read(old)
    assert [article.surface(span) for span in article.spans] == ["Gao", "Mopti", "Rain"]
    assert "1 tasks state offsets in UTF-16 units" in caplog.text
    caplog.clear()
    (article,) = read(task(annotation(region(24, 29, "Mopti", "B"), region(31, 35, None, "C"))))
    assert [article.surface(span) for span in article.spans] == ["Mopti", "Rain"] and not caplog.text
    (article,) = read(task(annotation(region(24, 29, None, "B"))))
    assert article.surface(article.spans[0]) == "Mopti"  # where nothing says otherwise, offsets are code points
    (article,) = read(task(annotation(region(3, 5, "oo", "A")), data={"text": "🚁 ooooo"}))
    assert article.spans == (Span(3, 5, "A"),)  # as they are where both ways fit


@given(text=texts(min_size=1, max_size=30), data=st.data())
def test_regions_in_units_come_out_where_they_were_marked(tmp_path_factory, text, data):
    text = f"🚁 {text} Gao."
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    units = [len(text[:offset].encode("utf-16-le")) // 2 for offset in (start, end, len(text) - 4, len(text) - 1)]
    regions = [region(*units[:2], text[start:end], "A"), region(*units[2:], "Gao", "B")]
    path = tmp_path_factory.mktemp("units") / "a.json"
    path.write_text(json.dumps([task(annotation(*regions), data={"text": text})]), encoding="utf-8")
    (article,) = read_articles(path)
    # "Gao." behind an emoji fits in units only, and settles the unit of both
    assert [(span.start, span.end) for span in article.spans] == [(start, end), (len(text) - 4, len(text) - 1)]


def test_a_mark_that_fits_neither_way_is_a_fault(read):
    faults = []
    wrong = task(annotation(region(9, 12, "Gao", "A")))
    with refused("export.json:2:", "reads ' Ga' in the text", "'Gao'"):
        read(wrong)
    (article,) = read(wrong, report=faults.append)
    assert faults[0].kind == SURFACE and article.spans == (Span(9, 12, "A"),)
    with refused("[90, 93) is empty or outside"):
        read(task(annotation(region(90, 93, "Gao", "A"))))


def test_line_ends_within_a_mark_are_written_as_backslash_n(read):
    (article,) = read(task(annotation(region(24, 35, "Mopti.\\nRain", "A"))))
    assert article.surface(article.spans[0]) == "Mopti.\nRain"


def test_whose_annotation_counts(read):
    amina = {"id": 4, "email": "amina@example.org"}
    both = task(annotation(region(10, 13, "Gao", "A"), by=1), annotation(region(24, 29, "Mopti", "B"), by=amina))
    with refused("export.json:2:", "'7' was labelled by 2 people (1, amina@example.org)", "annotator="):
        read(both)
    for name in ("amina@example.org", "4"):
        lost = Losses(keep=9)
        (article,) = read(both, annotator=name, lose=lost)
        assert article.spans == (Span(24, 29, "B"),)
        assert [(loss.article_id, loss.what, loss.detail) for loss in lost.kept] == [("7", "annotations of others", "by 1")]
    both["annotations"][0]["ground_truth"] = True
    assert read(both, lose=Losses())[0].spans == (Span(10, 13, "A"),)
    with refused("annotator='amina' labelled nothing here", "Known: 1, 4, amina@example.org"):
        read(both, annotator="amina")
    lost = Losses(keep=9)
    assert read(both, task(annotation(by=1), number=8), annotator="4", lose=lost)[0].id == "7"
    assert "tasks that 4 did not label" in lost.counts


def test_of_several_annotations_by_one_person_the_newest_counts(read):
    newer = annotation(region(24, 29, "Mopti", "B"), updated_at="2026-03-02T09:00:00Z")
    lost = Losses()
    assert read(task(newer, annotation(region(10, 13, "Gao", "A"))), lose=lost)[0].spans == (Span(24, 29, "B"),)
    assert lost.counts == {"earlier annotations": 1}


def test_what_an_article_cannot_hold_is_reported(read):
    relation = {"from_id": "a", "to_id": "b", "type": "relation", "direction": "right", "labels": ["in"]}
    area = {"id": "t", "from_name": "notes", "to_name": "text", "type": "textarea", "value": {"text": ["hm"]}}
    box = {"id": "x", "from_name": "box", "to_name": "image", "type": "rectanglelabels", "value": {"x": 1, "rectanglelabels": ["A"]}}
    per_region = choice("certainty", "sure")
    per_region["value"] |= {"start": 10, "end": 13, "text": "Gao"}
    page = region("/p[1]/text()[1]", "/p[1]/text()[1]", "Gao", "A", kind="hypertextlabels")
    skipped = annotation(was_cancelled=True, by=2)
    results = [relation, area, box, per_region, page, region(10, 13, "Gao"), choice("taxonomy", ["a", "b"])]
    lost = Losses(keep=99)
    (article,) = read(task(annotation(*results), skipped, predictions=[{"model_version": "m", "result": []}, 5], drafts=[{}]), lose=lost)
    assert not article.spans and article.labels == {"taxonomy": ()}
    assert lost.counts == {
        "relations": 1, "results of type textarea": 1, "results of type rectanglelabels": 1, "choices for one region": 1,
        "regions of pages that state no offsets of characters": 1, "regions without a label": 1, "choices within choices": 1,
        "skipped annotations": 1, "predictions beside annotations": 2, "drafts": 1,
    }  # fmt: skip


def test_pages_may_state_offsets_of_characters(read):
    page = region("/p[1]/text()[1]", "/p[1]/text()[1]", "Gao", "A", kind="hypertextlabels")
    page["value"]["globalOffsets"] = {"start": 10, "end": 13}
    assert read(task(annotation(page)))[0].spans == (Span(10, 13, "A"),)


def test_predictions_are_read_with_scores_where_nobody_labelled(read, caplog):
    predictions = [
        {"model_version": "old", "result": []},
        {"model_version": "new", "score": 0.4, "result": [region(10, 13, "Gao", "A", score=0.4), choice("topics", "air", score=0.9)]},
    ]
    lost = Losses(keep=9)
    predicted, unlabelled, numbered = read(task(predictions=predictions), task(number=8), task(number=9, predictions=[5]), lose=lost)
    assert predicted.spans[0].score == 0.4 and predicted.labels == {"topics": ("air",)} and predicted.scores == {"topics": {"air": 0.9}}
    assert unlabelled.labels == {} and unlabelled.spans == () == numbered.spans
    assert lost.counts == {"other predictions": 1, "names of models": 1}
    assert "1 tasks have predictions only" in caplog.text and "2 of 3 tasks are not labelled" in caplog.text
    # a score left over in an annotation says nothing of the person
    assert read(task(annotation(region(10, 13, "Gao", "A", score=0.4))))[0].spans[0].score is None


def test_completions_of_old_versions(read):
    old = {
        "id": 1,
        "data": {"text": "In Gao."},
        "completions": [{"id": 1001, "created_at": 1609789589, "result": [region(3, 6, "Gao", "A")]}],
    }
    assert read(old)[0].spans == (Span(3, 6, "A"),)


def test_where_text_and_id_stand(read):
    data = {"article": TEXT, "doc": "d1"}
    with refused("export.json:2: task '7': no string under 'text' of 'data', which has: article, doc", "text_field="):
        read(task(annotation(), data=data))
    (article,) = read(task(annotation(), data=data), text_field="article", id_field="doc")
    assert (article.id, article.text, article.extra) == ("d1", TEXT, {})
    with refused("no 'nr' in 'data', which id_field= names; it has: article, doc"):
        read(task(annotation(), data=data), text_field="article", id_field="nr")


MIN = {"annotator": 1, "annotation_id": 9, "created_at": "2026-03-01T09:00:00Z", "updated_at": "2026-03-01T09:00:00Z", "lead_time": 4.2}


def min_entry(number, **fields):
    return {"id": number, "text": TEXT, "url": "u", **fields, **MIN}


def test_the_short_export_is_told_by_its_content(read):
    gao = [{"start": 10, "end": 13, "text": "Gao", "labels": ["LOCATION"]}]
    box = [{"x": 1, "y": 2, "rectanglelabels": ["A"]}]
    lost = Losses(keep=9)
    one, two, three = read(
        min_entry(1, label=gao, topics={"choices": ["shooting", "air"]}), min_entry(2, topics="air", mood="calm", box=box), min_entry(3),
        lose=lost,
    )  # fmt: skip
    assert one.spans == (Span(10, 13, "LOCATION"),) and one.labels == {"topics": ("shooting", "air")} and one.extra == {"url": "u"}
    assert two.labels == {"topics": ("air",)} and two.extra == {"url": "u", "mood": "calm"} and two.classes("mood") == ("calm",)
    assert three.id == "3" and three.labels == {"topics": ()} and lost.counts == {"results of type rectanglelabels": 1}


def test_entries_of_the_short_export_with_one_id_are_several_annotators(read):
    entries = (
        min_entry(1, label=[]),
        {**min_entry(1, label=[{"start": 10, "end": 13, "text": "Gao", "labels": ["A"]}]), "annotator": "b@x.org"},
    )
    with refused("labelled by 2 people (1, b@x.org)"):
        read(*entries)
    assert read(*entries, annotator="b@x.org", lose=Losses())[0].spans == (Span(10, 13, "A"),)


def test_bad_tasks_are_rejected_one_by_one(read):
    rejected = []
    bad = [
        5,
        {"id": 1, "data": []},
        task(annotation(region(1.5, 3, "x", "A")), number=2),
        task(annotation(region(1, 3, "x", 5)), number=3),
        task(5, number=4),
        task({"completed_by": 1, "result": "x"}, number=5),
        task(annotation(choice("topics", 5)), number=6),
        task(number=True),
        task(number=9, predictions=[{"result": [region(10, 13, "Gao", "A", score="high")]}]),
    ]
    content = "[\n" + ",\n".join(json.dumps(item) for item in [task(annotation()), *bad]) + "\n]"
    assert [article.id for article in read(content, reject=rejected.append)] == ["7"]
    assert [error.source.line for error in rejected] == list(range(3, 12))
    assert all("a task must be an object with an object 'data'" in error.reason for error in rejected[:2])


@pytest.mark.parametrize(
    ("content", "fragments"),
    [
        ("[{", ("export.json:1:", "not JSON")),
        ('[{"data": {"text": "x"}}\n{"data": {}}]', ("export.json:2:", "found '{\"data\": {}}]' where an array goes on")),
        ('[{"data": {"text": "x"}}', ("export.json:1:", "the file ends where")),
        ('[{"data": {"text": "x"}}]\n\n[]', ("export.json:3:", "where an array goes on or is over")),
        ('[{"text": "x", "spans": []}]', ("no export of Label Studio", "the first entry has text, spans", ".jsonl")),
        ("", ("export.json:1:", "not JSON")),
    ],
)
def test_files_that_are_no_export(read, content, fragments):
    with refused(*fragments):
        read(content)


def test_packed_files_marks_of_byte_order_and_windows_line_ends(tmp_path):
    content = b"\xef\xbb\xbf" + json.dumps([task(annotation(region(10, 13, "Gao", "A")))], indent=1).replace("\n", "\r\n").encode()
    write_files(tmp_path, {"a.json": content, "b.json.gz": gzip.compress(content), "c.json": json.dumps(task(number=3)), "d.json": "[]"})
    assert [a.spans for name in ("a.json", "b.json.gz") for a in read_articles(tmp_path / name)] == [(Span(10, 13, "A"),)] * 2
    assert [article.id for article in read_articles(tmp_path / "c.json")] == ["3"] and not list(read_articles(tmp_path / "d.json"))


def test_json_that_lies_about_in_a_folder_is_read_only_when_asked(tmp_path, caplog):
    write_files(tmp_path, {"a.txt": "Rain.", "export.json": json.dumps([task()]), "settings.json": "{}"})
    assert [path.name for path in list_files(tmp_path)] == ["a.txt"]
    assert "2 files of unknown ending are not read" in caplog.text
    assert [path.name for path in list_files(tmp_path / "*.json", "labelstudio")] == ["export.json", "settings.json"]


def test_ids_that_stand_twice_are_kept(read):
    assert [article.id for article in read(task(), task())] == ["7", "7"]


def test_losses_are_summed_up_in_one_line(read, caplog):
    with caplog.at_level(logging.WARNING):
        read(task(annotation({"type": "rating", "from_name": "stars", "value": {"rating": 3}}), drafts=[1]))
    assert "not read: 1 results of type rating, 1 drafts, such as stars" in caplog.text


def test_tasks_that_no_person_labelled_are_told_before_they_come(read):
    found_by_model = {"model_version": "m", "result": [region(10, 13, "Gao", "LOCATION")]}  # without a score
    tasks = (
        task(annotation(region(10, 13, "Gao", "LOCATION")), number=1, predictions=[found_by_model]),
        task(number=2),
        task(annotation(was_cancelled=True), number=3),
        task(number=4, predictions=[found_by_model]),
        task(annotation(was_cancelled=True), number=5, predictions=[found_by_model]),
    )
    told = {}
    assert [article.id for article in read(*tasks, unlabelled=told.__setitem__)] == ["1", "2", "3", "4", "5"]
    assert told == {"2": NOT_LABELLED, "3": SKIPPED, "4": PREDICTED, "5": PREDICTED}


def test_scores_of_predictions_are_numbers_from_0_to_1(read):
    for result in (region(10, 13, "Gao", "LOCATION", score=float("nan")), choice("topics", "raid", score=97.5)):
        with refused("export.json:2: article '7': the score of ", "must be a number in [0, 1]"):
            read(task(predictions=[{"result": [result]}]))

import json

import pytest
from factories import make_task, refused, write_files

from sitrep.articles import Span
from sitrep.corpus import read_labelled
from sitrep.formats import read_articles

TEXT = "🚁 The River Army of Gao\nleft on Monday."
DOCUMENT = {"_id": "D1", "title": "Gao", "sourceName": "Wire", "sourceUrl": "u", "wordCount": 8, "sentenceCount": 1, "text": TEXT}
GROUP = {"_id": "E1", "begin": 6, "end": 23, "type": "ARMED_GROUP", "value": "River Army of Gao", "documentId": "D1", "confidence": 1}
PLACE = {"_id": "E2", "begin": 20, "end": 23, "type": "LOCATION", "value": "Gao", "documentId": "D1", "confidence": 0.5}


def lines(*rows):
    return "".join(row if isinstance(row, str) else json.dumps(row) + "\r\n" for row in rows)


def write_re3d(folder, documents=(DOCUMENT,), entities=(GROUP, PLACE)):
    return write_files(folder, {"documents.json": lines(*documents), "entities.json": lines(*entities)})


def read(folder, **options):
    return list(read_articles(folder, format="re3d", **options))


def test_documents_with_nested_entities(tmp_path, caplog):
    other = {"_id": "D2", "text": "Rain."}
    write_re3d(tmp_path / "Wire", documents=[DOCUMENT, "\n", other])
    write_files(tmp_path, {"Wire/relations.json": "{}", "Wire/LICENSE": "free", "notes.txt": "x"})
    one, two = read(tmp_path)
    assert (one.id, one.text, one.extra) == ("D1", TEXT, {"title": "Gao", "sourceName": "Wire", "sourceUrl": "u"})
    assert one.spans == (Span(6, 23, "ARMED_GROUP"), Span(20, 23, "LOCATION"))
    assert [one.surface(span) for span in one.spans] == ["River Army of Gao", "Gao"]
    assert (two.id, two.spans, two.extra, two.source.line) == ("D2", (), {}, 3)
    assert not caplog.text


def test_faults_that_lose_nothing_are_counted_in_one_warning_per_file(tmp_path, caplog):
    quoted = {**PLACE, "begin": 16, "end": 28, "type": "OTHER", "value": "of Gao left"}
    write_re3d(tmp_path, entities=[GROUP, PLACE, quoted, {**PLACE, "_id": "E3"}, {**PLACE, "type": "OTHER"}])
    (article,) = read(tmp_path)
    assert [(span.start, span.label) for span in article.spans] == [(6, "ARMED_GROUP"), (20, "LOCATION"), (16, "OTHER"), (20, "OTHER")]
    (record,) = caplog.records
    assert record.getMessage() == (
        f"{tmp_path / 'entities.json'}: 1 entities whose value differs from the text at their offsets are kept, "
        "1 exact duplicates are left out"
    )


@pytest.mark.parametrize(
    ("entity", "problem"),
    [
        ({**PLACE, "end": 99}, f"article 'D1': span LOCATION [20, 99) is empty or outside the text of {len(TEXT)} characters"),
        ({**PLACE, "begin": 23}, "article 'D1': span LOCATION [23, 23) is empty or outside"),
        ({**PLACE, "begin": -1}, "article 'D1': span LOCATION [-1, 23) is empty or outside"),
        ({**PLACE, "documentId": "D9"}, "entity of document 'D9', which"),
        ({**PLACE, "begin": "20"}, "'begin' must be a whole number, found '20'"),
        ({**PLACE, "end": True}, "'end' must be a whole number, found True"),
        ({**PLACE, "type": None}, "'type' must be a string, found None"),
        ({"_id": "E2"}, "'documentId' must be a string, found None"),
        ("[1]\n", "expected a JSON object, found list"),
        ("{'a': 1}\n", "not JSON: "),
    ],
)
def test_bad_entity_names_file_and_line(tmp_path, entity, problem):
    write_re3d(tmp_path, entities=[GROUP, entity])
    with refused(f"{tmp_path / 'entities.json'}:2: {problem}"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({"_id": 7, "text": "x"}, "'_id' must be a string, found 7"),
        ({"_id": "D2"}, "'text' must be a string, found None"),
        ('"D2"\n', "expected a JSON object, found str"),
        ("{\n", "not JSON: "),
    ],
)
def test_bad_document_names_file_and_line_and_can_be_rejected(tmp_path, document, problem):
    write_re3d(tmp_path, documents=[document, DOCUMENT])
    with refused(f"{tmp_path / 'documents.json'}:1: {problem}"):
        read(tmp_path)
    rejected = []
    assert [article.id for article in read(tmp_path, reject=rejected.append)] == ["D1"]
    assert [error.source.line for error in rejected] == [1]


def test_documents_without_their_entities(tmp_path):
    write_files(tmp_path, {"documents.json": lines(DOCUMENT)})
    with refused(f"{tmp_path / 'entities.json'}:1: no such file; the entities of documents.json are read from entities.json beside it"):
        read(tmp_path)


def test_folder_without_documents(tmp_path):
    write_files(tmp_path, {"entities.json": "{}"})
    with refused(f"{tmp_path}: holds no article; format=re3d reads documents.json"):
        read(tmp_path)


def test_an_undeclared_label_is_named_with_the_line_of_its_document(tmp_path):
    late = {**PLACE, "begin": 32, "end": 38, "type": "LOCATON", "value": "Monday"}
    write_re3d(tmp_path, entities=[late])
    with refused(f"{tmp_path / 'documents.json'}:1: article 'D1': label 'LOCATON' on 'Monday'", "did you mean 'LOCATION'?"):
        read_labelled(tmp_path, make_task(), format="re3d")

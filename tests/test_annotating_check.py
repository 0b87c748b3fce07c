"""action=check as a whole: what it prints, reports, mends and returns; on fixtures in several formats."""

import hashlib
import json
import shlex

import pytest
import yaml
from factories import ROOT, make_article, refused, write_files
from omegaconf import OmegaConf
from reporting import HOSTILE, open_page
from test_offsets import utf16
from tiny import compose, own_data

from sitrep import jobs
from sitrep.config import DataConfig, TrainConfig, load
from sitrep.corpus import load_corpus
from sitrep.formats import jsonl, read_articles
from sitrep.shell import check_arguments
from sitrep.terminal import WIDTH

RE3D_TEXT = "The Front’s camp against ISIL in Syria. 'Tex' left.\nNobody came."
RE3D = [
    ("Organisation", 0, 11, "The Front’s"),
    ("Organisation", 4, 9, "Front"),
    ("Location", 12, 25, "camp against "),
    ("Organisation", 22, 29, "st ISIL"),
    ("Organisation", 25, 29, "ISIL"),
    ("Person", 40, 45, "“Tex”"),
    ("Person", 46, 58, "left. Nobody"),
    ("Person", 46, 58, "left.\nNobody"),
]  # one twice, two values that differ, an end inside a word, white space, a quote and a possessive, three pairs that overlap


def check(*arguments):
    return jobs.annotate(compose("annotate", "action=check", *arguments))


def write_re3d(folder):
    rows = [{"documentId": "D", "type": label, "begin": start, "end": end, "value": value} for label, start, end, value in RE3D]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    return write_files(folder, {"re3d/documents.json": json.dumps({"_id": "D", "text": RE3D_TEXT}), "re3d/entities.json": lines}) / "re3d"


def report(path):
    return json.loads(path.read_text(encoding="utf-8"))


def counts(path):
    return {row["rule"]: row["n"] for row in report(path)["summary"]}


def shifted_rows(*, stated):
    """Return JSON rows whose offsets count UTF-16 units, and the articles that they should be."""
    articles = [make_article(f"a{n}", f"🚁 Rain in [Ségou{n}](LOCATION) and [Gao](LOCATION), [Ali](PERSON) said.") for n in range(3)]
    rows = []
    for article in articles:
        spans = [{"start": utf16(article.text, s.start), "end": utf16(article.text, s.end), "label": s.label} for s in article.spans]
        if stated:
            spans = [{**row, "text": article.surface(s)} for row, s in zip(spans, article.spans, strict=True)]
        rows.append(json.dumps({"id": article.id, "text": article.text, "spans": spans}) + "\n")
    return "".join(rows), articles


def test_what_is_wrong_with_files_as_they_were_published(tmp_path, capsys):
    folder = write_re3d(tmp_path)
    assert check(f"input={folder}", "format=re3d", f"report={tmp_path / 'r.html'}") == 1  # a mark stands twice
    found = counts(tmp_path / "r.json")
    assert found == {"duplicate": 1, "value": 2, "space": 1, "punctuation": 2, "inside-word": 1, "overlap": 3, "scarce": 3}
    printed = capsys.readouterr().out
    assert f"{folder}: 1 articles, 8 marks read, {len(RE3D_TEXT)} characters\n" in printed
    assert "entities.json:8" in printed
    assert "overlap: 2 nested, 1 crossing" in printed
    assert max(len(line) for line in printed.splitlines() if line[0] in "┏┃┡│└") <= WIDTH


def test_findings_in_the_report_hold_place_text_and_repair(tmp_path):
    check(f"input={write_re3d(tmp_path)}", "format=re3d", f"report={tmp_path / 'r.html'}")
    written = report(tmp_path / "r.json")
    assert (written["schema_version"], written["n_articles"], written["n_marks"]) == (1, 1, 8)
    (space,) = [row for row in written["findings"] if row["rule"] == "space"]
    assert (space["text"], space["before"], space["label"]) == ("camp against ", "The Front’s ", "Location")
    assert space["repair"] == {"action": "move", "start": 12, "end": 24, "safe": True}
    assert space["where"].endswith("documents.json:1")


def test_a_clean_file_says_so(tmp_path, capsys):
    jsonl.write([make_article("a", "[Gao](LOCATION) " * 30 + "is calm.")], tmp_path / "x.jsonl")
    assert check(f"input={tmp_path / 'x.jsonl'}", "labels=[LOCATION]", "fail_on=warning") == 0
    assert "nothing is wrong that these rules would see" in capsys.readouterr().out


@pytest.mark.parametrize(("fail_on", "code"), [("error", 0), ("warning", 1), ("never", 0)])
def test_the_exit_code_of_warnings(fail_on, code, tmp_path):
    jsonl.write([make_article("a", "in[ Gao](LOCATION)")], tmp_path / "x.jsonl")
    assert check(f"input={tmp_path / 'x.jsonl'}", f"fail_on={fail_on}") == code


@pytest.mark.parametrize(("fail_on", "code"), [("error", 1), ("warning", 1), ("never", 0)])
def test_the_exit_code_of_errors(fail_on, code, tmp_path):
    jsonl.write([make_article("a", "in [Gao](LOCATON)")], tmp_path / "x.jsonl")
    assert check(f"input={tmp_path / 'x.jsonl'}", "labels=[LOCATION]", f"fail_on={fail_on}") == code


def test_rows_that_cannot_be_read_are_found_and_the_others_read(tmp_path):
    lines = '{"id": "a", "text": "in Gao"}\n{no JSON}\n{"id": "b", "text": 5}\n'
    source = write_files(tmp_path, {"x.jsonl": lines}) / "x.jsonl"
    assert check(f"input={source}", f"report={tmp_path / 'r.html'}") == 1
    rows = [row for row in report(tmp_path / "r.json")["findings"] if row["rule"] == "unreadable"]
    assert [row["where"] for row in rows] == [f"{source}:2", f"{source}:3"]


# repairs


def test_safe_repairs_give_the_original_back(tmp_path, capsys):
    rows, articles = shifted_rows(stated=True)
    source = write_files(tmp_path, {"x.jsonl": rows}) / "x.jsonl"
    before = hashlib.sha256(source.read_bytes()).digest()
    assert check(f"input={source}", "fix=safe", f"output={tmp_path / 'y.jsonl'}") == 1
    assert list(read_articles(tmp_path / "y.jsonl")) == articles
    assert hashlib.sha256(source.read_bytes()).digest() == before
    changes = (tmp_path / "y.jsonl.diff").read_text(encoding="utf-8").splitlines()
    assert len(changes) == 9
    assert changes[0] == f"{source}:1: a0: LOCATION [11, 17) 'égou0 ' -> LOCATION [10, 16) 'Ségou0' (in UTF-16 units)"
    assert f"{tmp_path / 'y.jsonl'}: the repaired copy, 9 changes, each a line of {tmp_path / 'y.jsonl.diff'}" in capsys.readouterr().out
    assert check(f"input={tmp_path / 'y.jsonl'}") == 0


def test_offsets_whose_text_nobody_states_are_moved_when_asked(tmp_path, capsys):
    rows, articles = shifted_rows(stated=False)
    source = write_files(tmp_path, {"x.jsonl": rows}) / "x.jsonl"
    check(f"input={source}", "fix=safe", f"output={tmp_path / 'y.jsonl'}")
    assert (tmp_path / "y.jsonl.diff").read_text() == ""
    assert "9 offsets seem shifted, but that is a guess" in capsys.readouterr().out
    check(f"input={source}", "fix=offsets", f"output={tmp_path / 'z.jsonl'}")
    assert list(read_articles(tmp_path / "z.jsonl")) == articles


def test_stated_texts_that_a_copy_restates_are_counted(tmp_path, capsys):
    row = {"id": "a", "text": "Rain in Gao.", "spans": [{"start": 8, "end": 11, "label": "LOCATION", "text": "Bamako"}]}
    source = write_files(tmp_path, {"x.jsonl": json.dumps(row)}) / "x.jsonl"
    assert check(f"input={source}", "fix=safe", f"output={tmp_path / 'y.jsonl'}") == 1
    assert "1 marks whose stated text differs are restated as the text reads; look at them" in capsys.readouterr().out


def test_a_copy_of_annotated_markdown_is_annotated_markdown(tmp_path):
    files = {"in/a.md": "---\nid: a\n---\nRain in[ Gao](LOCATION).\n", "in/b.md": "---\nid: b\n---\nIt is [Monday](DATE).\n"}
    source = write_files(tmp_path, files) / "in"
    assert check(f"input={source}", "fix=safe", f"output={tmp_path / 'out'}") == 0
    assert "Rain in [Gao](LOCATION)." in (tmp_path / "out" / "a.md").read_text()
    assert (tmp_path / "out" / "b.md").read_text() == files["in/b.md"]
    assert (tmp_path / "out.diff").read_text() == f"{source / 'a.md'}:4: a: LOCATION [7, 11) ' Gao' -> LOCATION [8, 11) 'Gao' (space)\n"


def test_a_copy_of_brat_is_brat(tmp_path):
    files = {"in/a.txt": "Rain in Gao.", "in/a.ann": "T1\tLOCATION 9 12\tGao\nT2\tLOCATION 30 34\tMopti\n"}
    source = write_files(tmp_path, files) / "in"
    assert check(f"input={source}", "fix=safe", f"output={tmp_path / 'out'}") == 1
    (article,) = read_articles(tmp_path / "out")
    assert [article.surface(span) for span in article.spans] == ["Gao"]
    changes = (tmp_path / "out.diff").read_text().splitlines()
    assert [line.rpartition(" (")[2] for line in changes] == ["shifted by +1)", "left off: it fits no place in the text)"]


def test_a_copy_of_what_is_only_read_is_jsonl(tmp_path):
    source = write_re3d(tmp_path)
    with refused("re3d is a format that is read, not written", "end in .jsonl"):
        check(f"input={source}", "format=re3d", "fix=safe", f"output={tmp_path / 'out'}")
    assert not list(tmp_path.glob("out*"))
    check(f"input={source}", "format=re3d", "fix=safe", f"output={tmp_path / 'out.jsonl'}")
    (article,) = read_articles(tmp_path / "out.jsonl")
    assert len(article.spans) == 7
    reasons = [line.rpartition(" (")[2] for line in (tmp_path / "out.jsonl.diff").read_text().splitlines()]
    assert sorted(reasons) == sorted(["space)", "it stands twice)", "as the text reads)", "as the text reads)"])


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        ([], ["either input=PATH or data=NAME"]),
        (["input=x", "data=articles"], ["either input=PATH or data=NAME"]),
        (["input=x", "fix=safe"], ["give output=PATH"]),
        (["input=x", "fix=all", "output=y"], ["fix=all is unknown", "safe"]),
        (["input=x", "output=y"], ["give fix=safe too"]),
        (["input=x", "report=r.json"], ["must end in .html"]),
        (["input=x", "fail_on=errors"], ["did you mean 'error'"]),
        (["input=x", "data_yaml=mine"], ["must end in .yaml"]),
        (["data=articles", "format=brat"], ["with data= it is data.format="]),
        (["input=x", "data_yaml=y.yaml", "text_field=body"], ["no text_field", "action=convert"]),
        (["data=articles", "data_yaml=y.yaml"], ["data_yaml=y.yaml goes with input="]),
        (["data=articles", "id_field=key"], ["id_field=key goes with input="]),
        (["input=-"], ["read twice", "save it to a file"]),
        (["input=nowhere"], ["nowhere"]),
        (["input=x", "report=nowhere/r.html"], ["there is no folder nowhere"]),
    ],
)
def test_options_that_do_not_fit(arguments, fragments):
    with refused(*fragments):
        check(*arguments)


def test_nothing_is_written_over(tmp_path):
    source = write_files(tmp_path, {"in/x.jsonl": '{"text": "Gao"}\n', "out.jsonl": "mine"}) / "in"
    with refused("exists; it is not written over"):
        check(f"input={source}", "fix=safe", f"output={tmp_path / 'out.jsonl'}")
    with refused("lies in what is read"):
        check(f"input={source}", "fix=safe", f"output={source / 'y.jsonl'}")
    assert (tmp_path / "out.jsonl").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        (["input=in/x.jsonl", "report=out.html"], ["report=out.html: out.json exists"]),  # what somebody else wrote
        (["input=in", "report=in/r.html"], ["lies in what is read"]),
        (["input=in/*.jsonl", "fix=safe", "output=in/y.jsonl"], ["lies in what is read"]),
        (["input=in/../*/**/*.jsonl", "fix=safe", "output=y/z.jsonl"], ["lies in what is read"]),
        (["input=out.json", "format=labelstudio", "report=out.html"], ["report=out.html: out.json: is what is read"]),
        (["input=in/x.jsonl", "fix=safe", "output=r.json", "report=r.html"], ["output=r.json: is written by report=r.html too"]),
        (["input=in/x.jsonl", "fix=safe", "output=o.jsonl"], ["output=o.jsonl: o.jsonl.diff exists"]),
        (["input=in/x.jsonl", "fix=safe", "output=o.json"], ["output=o.json: o.json.config.xml exists"]),
        (["input=in/x.jsonl", "report=page.html"], ["report=page.html: page.html exists"]),
    ],
)
def test_no_file_is_lost_to_what_is_written(arguments, fragments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ("out.json", "o.jsonl.diff", "o.json.config.xml", "page.html", "y/.keep")
    write_files(tmp_path, {"in/x.jsonl": '{"text": "Gao"}\n', **dict.fromkeys(names, "mine")})
    with refused(*fragments):
        check(*arguments)
    assert [(tmp_path / name).read_text() for name in names] == ["mine"] * len(names)


def test_an_earlier_report_is_replaced(tmp_path):
    source = write_files(tmp_path, {"x.jsonl": '{"text": "Gao"}\n'}) / "x.jsonl"
    for path, n in ((source, 1), (source, 1), (tmp_path / "two", 2)):
        (tmp_path / "two").mkdir(exist_ok=True)
        jsonl.write([make_article(name, "Gao") for name in ("a", "b")], tmp_path / "two" / "x.jsonl")
        check(f"input={path}", f"report={tmp_path / 'r.html'}")
        assert report(tmp_path / "r.json")["n_articles"] == n


# data configs


def test_a_data_config_is_checked_with_its_labels_and_its_split(corpus, tmp_path):
    arguments = [*own_data(corpus), f"report={tmp_path / 'r.html'}"]
    assert check(*arguments) == 0
    assert "label" not in counts(tmp_path / "r.json")
    splits = (corpus / "splits.csv").read_text().splitlines()
    own = tmp_path / "splits.csv"
    own.write_text("\n".join([*splits[:-1], "gone,train"]) + "\n")
    assert check(*arguments, f"data.splits_path={own}", "data.labels.entities=[PERSON]") == 1
    found = counts(tmp_path / "r.json")
    assert (found["no-split"], found["no-article"]) == (1, 1) and found["label"] > 20


def test_labels_that_are_dropped_on_purpose_are_no_findings(corpus, tmp_path):
    arguments = [*own_data(corpus), "data.labels.entities=[PERSON,LOCATION,DATE]", "data.drop_labels=[ARMED_GROUP]"]
    assert check(*arguments, f"report={tmp_path / 'r.html'}") == 0
    found = [row["rule"] for row in report(tmp_path / "r.json")["findings"] if row["label"] == "ARMED_GROUP"]
    assert "label" not in found and "scarce" not in found
    arguments = [*own_data(corpus), "data.labels.topics=[bombing,diplomacy]", "data.drop_labels=[kidnapping]"]
    assert check(*arguments, f"report={tmp_path / 'r.html'}") == 0
    assert not [row for row in report(tmp_path / "r.json")["findings"] if row["label"] == "kidnapping"]


def test_a_split_by_files_is_known_by_their_names(tmp_path):
    text = "Rain fell over the valley for three days, and the river rose until the old bridge was closed."
    rows = {f"in/{name}.jsonl": json.dumps({"id": name, "text": text, "spans": []}) for name in ("train", "test", "extra")}
    write_files(tmp_path, rows)
    options = ["data=own", f"data.path={tmp_path / 'in'}", "data.split_by=file", "data.labels.entities=[A]"]
    assert check(*options, f"report={tmp_path / 'r.html'}") == 1
    found = counts(tmp_path / "r.json")
    assert (found["no-split"], found["leak"], found["same-text"]) == (1, 1, 2)


def test_a_data_config_is_written_for_a_folder(tmp_path, capsys):
    articles = [make_article("a", "[Ali](PERSON) in [Gao](LOCATION) and [Mopti](LOCATION)", labels={"topics": ("war",), "tone": ("calm",)})]
    jsonl.write(articles, tmp_path / "x.jsonl")
    path = tmp_path / "mine.yaml"
    check(f"input={tmp_path / 'x.jsonl'}", f"data_yaml={path}")
    data = load(DataConfig, yaml.safe_load(path.read_text(encoding="utf-8")))
    assert (data.name, data.path, data.format) == ("mine", str(tmp_path / "x.jsonl"), None)
    assert data.labels == {"entities": ["LOCATION", "PERSON"], "topics": ["war"], "region": [], "tone": ["calm"]}
    assert data.stratify_by == ["entities", "topics"]
    assert "data=mine" in capsys.readouterr().out
    with refused("exists"):
        check(f"input={tmp_path / 'x.jsonl'}", f"data_yaml={path}")


@pytest.mark.parametrize("files", ["", "/*.jsonl"])
@pytest.mark.parametrize("folder", ["a ${b}: #'c'", "a\nb"])
def test_a_data_config_of_odd_names_trains(folder, files, tmp_path, monkeypatch):
    folder = tmp_path / folder
    folder.mkdir()
    texts = ("[Ali](yes) is in [Gao](${x}) today.", "Rain on [Zoe](yes) near [Diffa](${x}), for days.", "[Paul](yes) left [Ber](${x}).")
    jsonl.write(
        [make_article(f"a{n}", text, extra={"topics": ["war"], "region": "sahel"}) for n, text in enumerate(texts)], folder / "x.jsonl"
    )
    (tmp_path / "data").mkdir()
    check(f"input={folder}{files}", f"data_yaml={tmp_path / 'data' / 'mine.yaml'}")
    monkeypatch.chdir(tmp_path)
    for task, labels in (("ner", ["${x}", "yes"]), ("topics", ["war"]), ("region", ["sahel"])):
        composed = check_arguments("train", ["--config-dir", str(tmp_path), "data=mine", f"task={task}"])
        config = load(TrainConfig, OmegaConf.masked_copy(composed, [key for key in composed if key != "hydra"]))
        assert (config.data.path, config.task.labels) == (f"{folder}{files}", labels)
        assert len(load_corpus(config.data, config.task).articles) == 3
    assert ((tmp_path / "data" / "mine.splits.csv").exists(), (folder / "splits.csv").exists()) == (bool(files), not files)


def test_the_command_that_made_a_data_config_makes_it_again(tmp_path):
    source = tmp_path / "my articles.jsonl"
    jsonl.write([make_article("a", "[Gao](LOCATION)")], source)
    path = tmp_path / "mine.yaml"
    check(f"input={source}", "format=jsonl", f"data_yaml={path}")
    before = path.read_text(encoding="utf-8")
    command = before.splitlines()[0].partition("Made by: python annotate.py ")[2]
    path.unlink()
    assert check(*shlex.split(command)[1:]) == 0 and path.read_text(encoding="utf-8") == before


# the page


def test_the_page_shows_marks_in_their_text_and_runs_nothing(tmp_path):
    row = {"id": HOSTILE, "text": f"{HOSTILE} in  {HOSTILE}", "spans": [{"start": 0, "end": len(HOSTILE) + 1, "label": HOSTILE}]}
    write_files(tmp_path, {"x.jsonl": json.dumps(row)})
    check(f"input={tmp_path / 'x.jsonl'}", f"report={tmp_path / 'r.html'}")
    page = open_page(tmp_path / "r.html")
    assert any(HOSTILE[:60] in text for text in page.texts("b"))
    assert "document.title" not in "".join(page.texts("script"))
    assert page.texts("img") == []


def test_a_large_input_makes_a_page_of_bounded_size_that_says_so(tmp_path):
    jsonl.write([make_article(str(n), "in[ Gao](LOCATION)" * 20) for n in range(300)], tmp_path / "x.jsonl")
    check(f"input={tmp_path / 'x.jsonl'}", f"report={tmp_path / 'r.html'}", "fail_on=never")
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "Shown are the first 200 of 6,000 findings; all stand in r.json." in page
    assert sum(row["rule"] == "space" for row in report(tmp_path / "r.json")["findings"]) == 6000
    assert len(page) < 2_000_000


def test_the_articles_of_this_project_hold_no_error(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    assert check("data=articles", f"report={tmp_path / 'r.html'}") == 0
    assert counts(tmp_path / "r.json").keys() <= {"several-labels", "unmarked", "scarce"}

"""Which backend reads: exported once, tried, remembered; refused with figures; the fastest by itself."""

import json
import shutil

import pytest
import torch
from exports import export_carelessly
from factories import refused
from tiny import compose

from sitrep import choosing, jobs
from sitrep.articles import Article
from sitrep.choosing import FILES, FOLDER, choose_backend
from sitrep.models import load_model
from sitrep.prediction import EncoderReader
from sitrep.readers import load_reader
from sitrep.runs import Run
from sitrep.timing import describe_machine

CPU = torch.device("cpu")
TEXT = "Gunmen of the Desert Front abducted a nurse near Gao on Monday. Her captors want a ransom, Amina Sow said in Mopti. "


def choose(run, word, device=CPU):
    return choose_backend(run, load_model(run.checkpoint_path), word, device, threads=1)


def facts(run):
    return json.loads((run.path / FOLDER / "backends.json").read_text())


@pytest.fixture(scope="module")
def any_loss():
    """Let int8 lose whatever a tiny model loses."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choosing, "MAX_LOSS", 1.0)
        patch.setattr("sitrep.parity.MAX_LOSS", 1.0)
        yield


@pytest.fixture(scope="module")
def prepared(ner_run, tmp_path_factory, any_loss):
    """A run whose backends have been made and timed by `auto`; not to be changed (see `run`)."""
    run = Run(shutil.copytree(ner_run.path, tmp_path_factory.mktemp("prepared") / "run"))
    choose(run, "auto")
    return run


@pytest.fixture
def run(prepared, tmp_path):
    return Run(shutil.copytree(prepared.path, tmp_path / "run"))


@pytest.fixture
def no_export(monkeypatch):
    """Demand that nothing is exported."""
    monkeypatch.setattr(choosing, "export_network", lambda *_: pytest.fail("exported anew"))


def test_auto_makes_tries_and_times_all_and_keeps_the_answer(prepared, no_export):
    found = facts(prepared)
    assert {name: entry["passed"] for name, entry in found["gate"].items()} == {"onnx": True, "int8": True}
    assert found["gate"]["onnx"]["greatest_difference"] < 1e-4
    assert found["gate"]["int8"]["n_products"] == found["gate"]["int8"]["of_products"] == 12
    (machine,) = found["machines"].values()
    assert machine["articles_per_second"].keys() == {"torch", "onnx", "int8"}
    assert choose(prepared, "auto").name == machine["backend"]
    assert facts(prepared) == found


def test_the_answer_holds_for_its_machine_and_threads_only(run, no_export, monkeypatch):
    monkeypatch.setattr(choosing, "measure_rates", lambda readers, _: dict.fromkeys(readers, 1.0))
    content = facts(run)
    for name in ("onnx", "int8", "torch"):
        content["machines"] = {describe_machine(1): {"backend": name, "articles_per_second": {}}}
        (run.path / FOLDER / "backends.json").write_text(json.dumps(content))
        assert choose(run, "auto").name == name
    choose_backend(run, load_model(run.checkpoint_path), "auto", CPU, threads=2)
    assert facts(run)["machines"].keys() == {describe_machine(1), describe_machine(2)}


def test_every_backend_reads_the_same(run, no_export):
    articles = [Article("long", TEXT * 20), Article("empty", ""), Article("short", TEXT), Article("word", "Gao")]
    reads = {}
    for word in ("torch", "onnx", "int8"):
        reader = load_reader(run, "auto", word, threads=1)
        assert isinstance(reader, EncoderReader) and reader.backend.name == word
        reads[word] = list(reader.read(articles))
    assert reads["torch"] == reads["onnx"] and any(article.spans for article in reads["torch"])
    assert [article.id for article in reads["int8"]] == [article.id for article in articles]


@pytest.mark.parametrize("name", ["sitrep.json", "README.md"])
def test_a_changed_checkpoint_is_exported_anew_and_a_new_model_card_is_not(run, no_export, name):
    with (run.checkpoint_path / name).open("a") as file:
        file.write("\n")
    if name == "README.md":
        assert choose(run, "onnx").name == "onnx"
    else:
        with pytest.raises(pytest.fail.Exception, match="exported anew"):
            choose(run, "onnx")


def test_weights_for_another_processor_are_made_anew(run, no_export, monkeypatch):
    content = facts(run)
    other = not content["gate"]["int8"]["reduce_range"]
    monkeypatch.setattr(choosing, "has_dot_products", lambda: not other)
    assert choose(run, "int8").name == "int8"
    assert facts(run)["gate"]["int8"]["reduce_range"] is other


@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_damaged_list_is_made_anew(run, monkeypatch, content):
    (run.path / FOLDER / "backends.json").write_text(content)
    monkeypatch.setattr(choosing, "export_network", lambda _, path: shutil.copy(run.path / FOLDER / FILES["onnx"], path))
    assert choose(run, "onnx").name == "onnx"
    assert facts(run)["gate"]["onnx"]["passed"] is True


def test_a_damaged_export_is_made_anew(run, prepared, monkeypatch, caplog):
    (run.path / FOLDER / FILES["onnx"]).write_bytes(b"half")
    monkeypatch.setattr(choosing, "export_network", lambda _, path: shutil.copy(prepared.path / FOLDER / FILES["onnx"], path))
    assert choose(run, "onnx").name == "onnx"
    assert "model.onnx: cannot be opened, so it is made anew" in caplog.text


def test_an_export_that_goes_wrong_is_refused_with_figures_and_torch_reads(copy_run, ner_run, monkeypatch, caplog):
    run = copy_run(ner_run)
    monkeypatch.setattr(choosing, "export_network", export_carelessly)
    with refused("backend=onnx: refused for", "article ", "window ", "scores differ by up to", "0.001 is allowed", "backend=torch"):
        choose(run, "onnx")
    assert not (run.path / FOLDER / FILES["onnx"]).exists()
    monkeypatch.setattr(choosing, "export_network", lambda *_: pytest.fail("tried again"))
    with refused("backend=int8: refused for", "scores differ by up to"):  # it would be made from the other
        choose(run, "int8")
    caplog.set_level("INFO")
    assert choose(run, "auto").name == "torch"
    assert "backend=auto: onnx is refused: article" in caplog.text and "backend=auto: int8 is refused: article" in caplog.text
    assert "backend=auto: torch; nothing else passes" in caplog.text


def test_a_network_that_cannot_be_exported_is_refused_with_the_reason(copy_run, ner_run, monkeypatch):
    def fail(*_):
        raise NotImplementedError("no such operator\nand much more")

    monkeypatch.setattr(choosing, "export_network", fail)
    with refused("the network cannot be exported (NotImplementedError: no such operator)"):
        choose(copy_run(ner_run), "onnx")


def test_int8_that_loses_too_much_is_refused_with_both_scores(run, no_export, monkeypatch):
    content = facts(run)
    del content["gate"]["int8"]
    (run.path / FOLDER / "backends.json").write_text(json.dumps(content))
    monkeypatch.setattr(choosing, "MAX_LOSS", -1.0)
    monkeypatch.setattr("sitrep.parity.MAX_LOSS", -1.0)
    with refused("backend=int8: refused", "micro F1 on dev falls from", "-100 are allowed"):
        choose(run, "int8")
    assert not (run.path / FOLDER / FILES["int8"]).exists() and (run.path / FOLDER / FILES["onnx"]).exists()


def test_a_run_that_cannot_be_written_is_read_all_the_same(run, prepared, monkeypatch, caplog):
    shutil.rmtree(run.path / FOLDER)
    (run.path / FOLDER).write_text("")  # where a folder is to be
    monkeypatch.setattr(choosing, "export_network", lambda _, path: shutil.copy(prepared.path / FOLDER / FILES["onnx"], path))
    backend = choose(run, "onnx")
    assert f"{run.path / FOLDER}: cannot be written" in caplog.text and "not kept" in caplog.text
    model = load_model(run.checkpoint_path)
    assert list(EncoderReader(model, backend).read([Article("a", TEXT)]))
    assert (run.path / FOLDER).read_text() == ""


def test_other_devices_have_torch(run, monkeypatch):
    shutil.rmtree(run.path / FOLDER)
    elsewhere = torch.device("meta")
    assert choose(run, "auto", elsewhere).name == "torch" and not (run.path / FOLDER).exists()
    with refused("backend=onnx multiplies on the CPU, not on meta", "device=cpu"):
        choose(run, "onnx", elsewhere)


def test_evaluation_and_prediction_take_a_backend(run, corpus, tmp_path, no_export):
    before = sorted((run.path / "metrics").iterdir())
    assert jobs.evaluate(compose("evaluate", f"run={run.path}", "split=dev", "backend=onnx", "device=cpu")) == 0
    assert sorted({*(run.path / "metrics").iterdir()} - set(before)) == [run.metrics_path("dev-onnx")]
    dev, onnx = run.metrics("dev"), run.metrics("dev-onnx")
    assert onnx["strict"]["micro"] == dev["strict"]["micro"] and onnx["name"] == "dev-onnx"
    output = tmp_path / "out.jsonl"
    assert jobs.predict(compose("predict", f"run={run.path}", f"input={corpus}", f"output={output}", "backend=int8", "device=cpu")) == 0
    assert len(output.read_text().splitlines()) == 20

"""Which runs may teach a student: those of the same task that have learnt from the same articles."""

import json
import shutil

import pytest
from factories import refused
from tiny import SMALL, compose, own_data

from sitrep import jobs
from sitrep.articles import fingerprint
from sitrep.corpus import load_corpus
from sitrep.runs import Run
from sitrep.teachers import check_teacher


@pytest.fixture
def check(corpus, encoder):
    """Return a function that checks a teacher for a student of the tiny corpus."""

    def check_for(teacher, *arguments: str, data=corpus):
        model = ("model=hub", f"model.path={encoder}", "model.layers=[1]", *SMALL)
        config = compose("train", *own_data(data), *model, f"distil_from={teacher}", *arguments)
        loaded = load_corpus(config.data, config.task)
        return check_teacher(config, loaded, fingerprint(loaded.articles))

    return check_for


def test_what_is_kept_of_a_teacher(check, ner_run, copy_run):
    facts = check(ner_run.path)
    assert (facts["path"], facts["commits"]) == (str(ner_run.path), ner_run.commits())
    changed = copy_run(ner_run)
    assert check(changed.path)["model_sha256"] == facts["model_sha256"]
    weights = changed.checkpoint_path / "head.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    assert check(changed.path)["model_sha256"] != facts["model_sha256"]


def test_a_teacher_of_another_task(check, topics_run, ner_run):
    with refused(
        f"distil_from={topics_run.path}: teacher and student must do the same task", "task.kind is multi-label there and ner here"
    ):
        check(topics_run.path)
    with refused("task.labels is ['PERSON', 'ARMED_GROUP', 'LOCATION', 'DATE'] there and ['PERSON', 'ARMED_GROUP', 'LOCATION'] here"):
        check(ner_run.path, "data.labels.entities=[PERSON,ARMED_GROUP,LOCATION]", "data.drop_labels=[DATE]")
    with refused("task.windows.max_tokens is 48 there and 40 here"):
        check(ner_run.path, "task.windows.max_tokens=40")


def test_a_teacher_without_scores_to_learn(check, lookup_run, tmp_path):
    with refused(f"{lookup_run.path} is a lookup model, whose scores cannot be learnt"):
        check(lookup_run.path)
    with refused("no run there"):
        check(tmp_path / "nowhere")


def test_a_teacher_that_has_learnt_from_other_articles(check, ner_run, corpus_copy):
    shutil.copy(ner_run.config().data.path + "/splits.csv", corpus_copy)
    assert check(ner_run.path, data=corpus_copy)
    article = corpus_copy / "art-00.md"
    article.write_text(article.read_text() + "One more line.\n")
    with refused("its articles have the fingerprint", "would pass it on; train it anew"):
        check(ner_run.path, data=corpus_copy)


@pytest.mark.parametrize(("swap", "message"), [(("dev", "train"), "its dev articles are others"), (("train", None), "its splits hold")])
def test_a_teacher_that_has_learnt_from_another_split(check, ner_run, corpus_copy, swap, message):
    rows = (corpus_copy.parent / "rows").with_suffix(".csv")
    shutil.copy(ner_run.config().data.path + "/splits.csv", rows)
    lines = rows.read_text().splitlines()
    one = next(i for i, line in enumerate(lines) if line.endswith(f",{swap[0]}"))
    lines[one] = lines[one].replace(f",{swap[0]}", f",{swap[1] or 'test'}")
    if swap[1]:
        other = next(i for i, line in enumerate(lines) if line.endswith(f",{swap[1]}") and i != one)
        lines[other] = lines[other].replace(f",{swap[1]}", f",{swap[0]}")
    (corpus_copy / "splits.csv").write_text("\n".join(lines) + "\n")
    with refused(message, "A teacher that has learnt from what is dev or test here"):
        check(ner_run.path, data=corpus_copy)


def test_a_teacher_that_held_out_a_fold(check, copy_run, ner_run):
    teacher = copy_run(ner_run)
    info = teacher.info()
    (teacher.path / "run.json").write_text(json.dumps({**info, "config": {**info["config"], "cv": {"folds": 3, "fold": 1}}}))
    with refused("is fold 1 of a cross-validation and has learnt from dev articles"):
        check(teacher.path)


def test_a_student_resumed_demands_the_same_teacher(train, ner_run, copy_run, corpus, encoder, tmp_path, caplog):
    teacher = copy_run(ner_run)
    run = train(tmp_path / "run", f"distil_from={teacher.path}", "model.layers=[1]", "trainer.epochs=1")
    run.note(status="running")
    weights = teacher.checkpoint_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    with refused(f"resume={run.path}: its teacher {teacher.path} has changed since it began; train anew"):
        jobs.resume(run)
    weights.unlink()
    shutil.rmtree(teacher.path)
    with refused("no run there"):
        jobs.resume(Run(run.path))


def test_the_newest_run_as_a_teacher_is_kept_by_its_folder(train, ner_run, copy_run, tmp_path, monkeypatch):
    teacher = copy_run(ner_run)
    monkeypatch.setattr("sitrep.finding.MODELS", tmp_path / "models")
    run = train(tmp_path / "run", "distil_from=latest", "model.init_from=latest:ner", "model.layers=[1]", "trainer.epochs=1")
    assert run.config().distil_from == run.config().model.init_from == str(teacher.path)

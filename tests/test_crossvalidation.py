"""Cross-validation as whole jobs on a tiny corpus: what each fold learns, chooses by and is scored on, and the pooled scores."""

import json
import logging
import re
import shutil
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from factories import refused
from tiny import ROOT, SMALL, compose, own_data, write_corpus

from sitrep import jobs
from sitrep.articles import fingerprint
from sitrep.corpus import load_corpus
from sitrep.crossvalidation import pool_folds
from sitrep.finding import finished_runs, open_run, open_unfinished
from sitrep.near_duplicates import group_near_duplicates
from sitrep.readers import open_reader_run
from sitrep.runs import Run
from sitrep.splits import read_splits

N_FOLDS = 3
COUNTS = ("tp", "fp", "fn", "support")


@pytest.fixture(scope="module")
def articles(tmp_path_factory) -> Path:
    """A labelled corpus in which every third article has a near-duplicate, with its split; not to be changed."""
    folder = write_corpus(tmp_path_factory.mktemp("corpus") / "articles", n_articles=24)
    for path in sorted(folder.glob("*.md"))[::3]:
        copy = path.read_text().replace("id: art-", "id: copy-").rstrip() + " More follows.\n"
        (folder / path.name.replace("art", "copy")).write_text(copy)
    jobs.annotate(compose("annotate", "action=split", *own_data(folder)))
    return folder


def train_fold(articles: Path, folder: Path, fold: int, *arguments: str) -> Run:
    options = ("model=lookup", f"cv.folds={N_FOLDS}", f"cv.fold={fold}", *arguments)
    assert jobs.train(compose("train", *own_data(articles), *options), folder) == 0
    return Run(folder)


def train_folds(articles: Path, home: Path, *arguments: str, folds=range(N_FOLDS)) -> list[Run]:
    """Train into home/0, home/1... and return the runs, in the order of the folds."""
    runs = [train_fold(articles, home / str(fold), fold, *arguments) for fold in folds]
    return sorted(runs, key=lambda run: run.path.name)


def pools(home: Path) -> list[Run]:
    return [Run(path) for path in sorted(home.glob("*-cv*"))]


def ids(run: Run, name: str) -> list[str]:
    return [article.id for article in run.articles("gold", name)]


def evaluate(run: Run, *arguments: str) -> None:
    assert jobs.evaluate(compose("evaluate", f"run={run.path}", "device=cpu", *arguments)) == 0


@pytest.fixture(scope="module")
def runs(articles, tmp_path_factory) -> list[Run]:
    """The runs of all folds, pooled; not to be changed."""
    return train_folds(articles, tmp_path_factory.mktemp("home") / "models" / "own-ner-lookup")


@pytest.fixture(scope="module")
def pool(runs) -> Run:
    (pooled,) = pools(runs[0].path.parent)
    return pooled


# A fold


def test_what_is_held_out_is_neither_learnt_nor_chosen_by(articles, runs):
    splits = read_splits(articles / "splits.csv")
    known = {article_id for article_id, split in splits.items() if split != "test"}
    for run in runs:
        config = run.config()
        corpus = load_corpus(config.data, config.task, config.cv)
        train, dev, fold = ([article.id for article in part] for part in (corpus.train, corpus.dev, corpus.fold))
        assert sorted(train + dev + fold) == sorted(known) and min(map(len, (train, dev, fold))) > 0
        assert (ids(run, "dev"), ids(run, "fold")) == (dev, fold)
        assert {article.id for article in corpus.test} == splits.keys() - known
        part = {article_id: name for name, part in (("train", train), ("dev", dev), ("fold", fold)) for article_id in part}
        groups = group_near_duplicates((*corpus.train, *corpus.dev, *corpus.fold))
        assert sum(len(group) > 1 for group in groups) >= 4
        assert all(len({part[article.id] for article in group}) == 1 for group in groups)
        assert run.metrics("fold")["near_duplicates"] == []
        assert run.info()["data_sha256"] == fingerprint(corpus.articles)
        surfaces = json.loads((run.checkpoint_path / "lookup.json").read_text())
        learnt = {article.surface(span).casefold() for article in corpus.train for span in article.spans}
        assert learnt == {re.sub(r"\s+", " ", surface).casefold() for surface in surfaces["surfaces"]}


def test_thresholds_of_a_fold_are_fitted_on_its_dev(articles, tmp_path):
    run = train_fold(articles, tmp_path / "run", 1, "task=topics", "model=tfidf")
    fitted_to = json.loads((run.path / "calibration.json").read_text())["best_f1"]["n_positives"]
    dev = run.articles("gold", "dev")
    assert fitted_to == {topic: sum(topic in article.labels["topics"] for article in dev) for topic in fitted_to}


def test_a_fold_is_evaluated_on_the_split_s_test_and_on_its_own_dev(articles, runs, tmp_path):
    run = Run(shutil.copytree(runs[1].path, tmp_path / "run"))
    reported = run.metrics("dev")
    evaluate(run, "split=dev")
    assert {**run.metrics("dev"), "seconds": 0} == {**reported, "seconds": 0}
    evaluate(run)
    assert set(ids(run, "test")) == {name for name, split in read_splits(articles / "splits.csv").items() if split == "test"}
    with refused("name=fold is reserved for cross-validation"):
        evaluate(run, f"articles={articles}", "name=fold")


@pytest.mark.parametrize(("option", "said"), [("task=mlm", "learns without labels"), ("task=ner", "cv.folds=3: which fold is held out?")])
def test_what_cross_validation_refuses(articles, tmp_path, option, said):
    with refused(said):
        jobs.train(compose("train", *own_data(articles), "cv.folds=3", option), tmp_path / "run")
    with refused("model.init_from=latest: in a cross-validation this would be the fold before; give the run's folder"):
        jobs.train(compose("train", *own_data(articles), "cv.folds=3", "cv.fold=0", "model.init_from=latest"), tmp_path / "run")


def test_an_encoder_that_may_know_what_is_held_out_is_warned_of(articles, ner_run, tmp_path, caplog):
    options = ("model=hub", "device=cpu", f"model.init_from={ner_run.path}", *SMALL, "trainer.epochs=1", "cv.folds=3", "cv.fold=0")
    assert jobs.train(compose("train", *own_data(articles), "model.path=null", *options), tmp_path / "run") == 0
    assert f"model.init_from={ner_run.path}: if it has learnt from the articles that are held out here" in caplog.text


# All folds


def test_pooled_are_all_train_and_dev_articles_once(articles, runs, pool):
    known = {article_id for article_id, split in read_splits(articles / "splits.csv").items() if split != "test"}
    assert sorted(ids(pool, "folds")) == sorted(known)
    assert ids(pool, "folds") == [article_id for run in runs for article_id in ids(run, "fold")]
    assert pool.articles("predictions", "folds") == [article for run in runs for article in run.articles("predictions", "fold")]
    assert pool.metrics("folds")["data_sha256"] == fingerprint(pool.articles("gold", "folds"))


def test_pooled_counts_are_the_sums_of_the_folds(runs, pool):
    pooled, folds = pool.metrics("folds"), [run.metrics("fold") for run in runs]
    for rule in ("strict", "exact", "overlap"):
        assert pooled[rule]["micro"]["tp"] > 0
        for key in COUNTS:
            assert pooled[rule]["micro"][key] == sum(scores[rule]["micro"][key] for scores in folds)
            for label, counts in pooled[rule]["per_label"].items():
                assert counts[key] == sum(scores[rule]["per_label"][label][key] for scores in folds)
    for side in ("seen", "unseen"):  # by what each fold's own training had seen
        for key in COUNTS:
            assert pooled["seen_unseen"][side][key] == sum(scores["seen_unseen"][side][key] for scores in folds)
    for kind, n in pooled["mistakes"].items():
        assert n == sum(scores["mistakes"][kind] for scores in folds)
    assert pooled["n_articles"] == sum(scores["n_articles"] for scores in folds)
    assert pooled["strict"]["micro"]["f1_interval"] is not None
    f1s = [scores["strict"]["micro"]["f1"] for scores in folds]
    assert pooled["folds"]["micro_f1"] == f1s
    mean = sum(f1s) / N_FOLDS
    assert pooled["folds"]["mean"] == pytest.approx(mean)
    assert pooled["folds"]["sd"] == pytest.approx((sum((f1 - mean) ** 2 for f1 in f1s) / (N_FOLDS - 1)) ** 0.5)


def test_rankings_of_different_models_are_averaged_and_not_pooled(articles, tmp_path, capsys):
    folds = train_folds(articles, tmp_path, "task=topics", "model=tfidf")
    (pooled,) = pools(tmp_path)
    found, of_folds = (pooled.metrics("folds")["average_precision"], [run.metrics("fold")["average_precision"] for run in folds])
    for name in ("micro", "macro"):
        values = [part[name]["value"] for part in of_folds]
        assert found[name] == {
            "value": pytest.approx(statistics.fmean(values)),
            "sd": pytest.approx(statistics.stdev(values)),
            "interval": None,
        }
    assert found["per_label"].keys() == of_folds[0]["per_label"].keys()
    assert "average precision, mean of folds" in capsys.readouterr().out


def test_the_folder_of_the_pooled_scores(runs, pool):
    info, first = pool.info(), runs[0].info()
    assert re.fullmatch(r"\d{8}-\d{6}-s1-cv3", pool.path.name)
    assert (info["status"], info["pooled"]) == ("finished", [str(run.path) for run in runs])
    assert {key: info[key] for key in ("commit", "data_sha256", "device")} == {
        key: first[key] for key in ("commit", "data_sha256", "device")
    }
    assert info["seconds"] == pytest.approx(sum(run.info()["seconds"] for run in runs))
    assert info["n_parameters"] == round(sum(run.info()["n_parameters"] for run in runs) / N_FOLDS)
    assert (pool.config().cv.folds, pool.config().cv.fold) == (N_FOLDS, None)
    files = {path.relative_to(pool.path).as_posix() for path in pool.path.rglob("*") if path.is_file()}
    assert files == {"run.json", "metrics/folds.json", "gold/folds.jsonl", "predictions/folds.jsonl", "errors/folds.jsonl", "report.html"}


def test_pooled_scores_are_no_model(articles, runs, pool, tmp_path, monkeypatch):
    monkeypatch.chdir(pool.path.parents[2])
    assert pool.path.name not in {run.path.name for run in finished_runs()}
    assert open_run("latest").path.name == runs[-1].path.name
    message = f"run={pool.path}: pools the folds of a cross-validation and holds scores, but no model"
    with refused(message):
        evaluate(pool)
    with refused(message):
        jobs.predict(compose("predict", f"run={pool.path}", f"input={articles}", f"output={tmp_path / 'out.jsonl'}"))
    with refused(message):
        jobs.train(compose("train", *own_data(articles), f"model.init_from={pool.path}"), tmp_path / "run")
    with refused(f"resume={pool.path}: pools the folds"):
        open_unfinished(str(pool.path))


def test_two_cross_validations_are_compared(articles, pool, tmp_path, capsys):
    train_folds(articles, tmp_path / "models" / "own-ner-lookup", "seed=2")
    (other,) = pools(tmp_path / "models" / "own-ner-lookup")
    capsys.readouterr()
    assert jobs.compare(compose("compare", f"runs=[{pool.path},{other.path}]", "name=folds")) == 0
    shown = capsys.readouterr().out
    assert str(pool.path) in shown and str(other.path) in shown and f"{100 * pool.metrics('folds')['strict']['micro']['f1']:.1f}" in shown
    assert open_reader_run(str(other.path), with_model=False).metrics("folds")["data_sha256"] == pool.metrics("folds")["data_sha256"]
    with refused("has no scores named 'folds'", "python train.py -m cv.folds=5"):
        jobs.compare(compose("compare", f"runs=[{pool.path},{other.info()['pooled'][0]}]", "name=folds"))


def test_the_order_in_which_folds_end_does_not_matter(articles, runs, pool, tmp_path):
    train_folds(articles, tmp_path, folds=(2, 0))
    assert pools(tmp_path) == []
    train_fold(articles, tmp_path / "1", 1)
    (other,) = pools(tmp_path)
    assert {**other.metrics("folds"), "seconds": 0} == {**pool.metrics("folds"), "seconds": 0}


def test_a_fold_that_is_trained_again_is_pooled_anew(articles, tmp_path):
    train_folds(articles, tmp_path)
    train_fold(articles, tmp_path / "again", 1)
    pooled = sorted(tuple(Path(path).name for path in pool.info()["pooled"]) for pool in pools(tmp_path))
    assert pooled == [("0", "1", "2"), ("0", "again", "2")]


@pytest.mark.parametrize("other", ["seed=2", "data.split_seed=2"])
def test_folds_of_another_config_are_not_pooled(articles, tmp_path, other):
    train_folds(articles, tmp_path, folds=(0, 1))
    train_fold(articles, tmp_path / "2", 2, other)
    assert pools(tmp_path) == []


@pytest.mark.parametrize("facts", [{"commit": "0" * 40}, {"versions": {"torch": "0.1"}}])
def test_folds_of_another_code_are_not_pooled(articles, tmp_path, facts):
    first, _ = train_folds(articles, tmp_path, folds=(0, 1))
    first.note(**facts)
    train_fold(articles, tmp_path / "2", 2)
    assert pools(tmp_path) == []


def test_folds_of_another_split_are_not_pooled(articles, tmp_path, caplog):
    corpus = shutil.copytree(articles, tmp_path / "corpus")
    train_folds(corpus, tmp_path, folds=(0, 1))
    (corpus / "splits.csv").unlink()
    jobs.annotate(compose("annotate", "action=split", *own_data(corpus), "data.split_seed=7"))
    with caplog.at_level(logging.WARNING):
        train_fold(corpus, tmp_path / "2", 2)
    assert pools(tmp_path) == [] and "the split has changed: no pooled scores" in caplog.text


def test_folds_that_end_at_once_are_pooled_once(articles, runs, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(runs[0].path.parent, home, ignore=shutil.ignore_patterns("*-cv*"))
    config = runs[0].config()
    corpus = load_corpus(config.data, config.task, config.cv)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda fold: pool_folds(Run(home / str(fold % N_FOLDS)), corpus), range(8)))
    assert [*set(found)] == pools(home) and len(pools(home)) == 1


def test_a_fold_that_was_interrupted_goes_on_and_is_pooled(articles, runs, pool, tmp_path):
    train_folds(articles, tmp_path, folds=(0, 2))
    run = Run(tmp_path / "1")
    run.begin(runs[1].config(), runs[1].info()["data_sha256"])
    assert jobs.resume(run) == 0
    (other,) = pools(tmp_path)
    assert other.metrics("folds")["strict"] == pool.metrics("folds")["strict"]


@pytest.mark.slow
def test_the_command_trains_all_folds_of_an_encoder_and_pools_them(articles, encoder, tmp_path):
    options = [*own_data(articles), "model=hub", f"model.path={encoder}", *SMALL, "trainer.epochs=1"]
    command = [sys.executable, str(ROOT / "train.py"), "-m", "cv.folds=3", "cv.fold=range(3)", *options]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    names = sorted(path.parent.name[16:] for path in tmp_path.glob("models/own-ner-hub/*/run.json"))
    assert names == ["s1-0", "s1-1", "s1-2", "s1-cv3"]
    (pooled,) = pools(tmp_path / "models" / "own-ner-hub")
    metrics = pooled.metrics("folds")
    assert "ner on all 3 folds" in done.stdout and f"pooled: {pooled.path.relative_to(tmp_path)}" in done.stdout
    assert re.search(r"micro F1 by fold, mean ± standard deviation: [\d.]+ ± [\d.]+ \([\d., ]+\)", done.stdout)
    assert metrics["recall_ceiling"] == 1 and metrics["ledger"] == []

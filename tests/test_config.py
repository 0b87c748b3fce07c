import pytest
from factories import command_options, refused, train_options

from sitrep.config import EvaluateConfig, PredictConfig, TfidfConfig, TrainConfig, load

EVALUATE = command_options("evaluate", run="latest")
PREDICT = command_options("predict", run=["x"], input="x", output="y")

TOPICS = {
    "task__kind": "multi-label",
    "task__thresholds": "dev",
    "task__pooling": "mean",
    "task__field": "topics",
    "model__kind": "encoder",
    "model__path": "x",
}
SETTINGS = {"max_ngram": 1, "min_articles": 1, "sublinear": True, "balanced": True, "inverse_penalty": 1.0}
TFIDF = {"model__kind": "tfidf", "model__tfidf": SETTINGS}
ENCODER = {"model__kind": "encoder", "model__path": "x"}
STUDENT = {**ENCODER, "distil_from": "models/a/1", "distil": {"temperature": 2.0, "weight": 0.5}}


def test_a_part_that_may_be_missing_is_checked_like_any_other():
    config = load(TrainConfig, train_options(**{**TOPICS, "model__kind": "tfidf", "model__path": None, "model__tfidf": SETTINGS}))
    assert config.model.tfidf == TfidfConfig(**SETTINGS)
    with refused("unknown option model.tfidf.max_ngrm", "did you mean 'model.tfidf.max_ngram'?"):
        load(TrainConfig, train_options(model__kind="tfidf", model__tfidf={**SETTINGS, "max_ngrm": 1}))
    with refused("model.tfidf.balanced: "):
        load(TrainConfig, train_options(model__kind="tfidf", model__tfidf={**SETTINGS, "balanced": "perhaps"}))


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({"task__windows": {"max_tokens": 7, "overlap": 0}}, ["task.windows.max_tokens=7 must be at least 8"]),
        ({"task__windows__overlap": 17}, ["task.windows.overlap=17 must lie between 0 and half of max_tokens=32"]),
        ({"task__windows__overlap": -1}, ["task.windows.overlap=-1"]),
        ({"task__kind": "nre"}, ["task.kind='nre' is no kind", "did you mean 'ner'?"]),
        ({"task__field": "topics"}, ["task 'ner'", "NER has none"]),
        ({**TOPICS, "task__field": None}, ["a class task names its field"]),
        ({"task__labels": []}, ["task 'ner' has no labels", "'data.labels.entities=[LABEL,...]'"]),
        ({**TOPICS, "task__labels": ["a", "b", "a"]}, ["data.labels.topics holds a label twice: a, b, a"]),
        ({**TOPICS, "task__kind": "binary"}, ["data.labels.topics: a binary field declares its one positive label"]),
        ({**TOPICS, "model__kind": "lookup"}, ["model=lookup is the baseline for mentions", "use model=tfidf"]),
        ({**TFIDF}, ["model=tfidf is the baseline for class fields; for ner use model=lookup"]),
        ({**TFIDF, **TOPICS, "model__kind": "tfidf", "model__tfidf": None}, ["model.kind=tfidf: model.tfidf is for kind tfidf"]),
        ({"model__tfidf": TFIDF["model__tfidf"]}, ["model.kind=lookup: model.tfidf is for kind tfidf, and for no other"]),
        ({**TFIDF, "model__tfidf": {**SETTINGS, "max_ngram": 0}}, ["model.tfidf.max_ngram=0 must be positive"]),
        ({**TFIDF, "model__tfidf": {**SETTINGS, "inverse_penalty": -1.0}}, ["model.tfidf.inverse_penalty=-1.0 must be positive"]),
        ({**TOPICS, "task__pooling": "maxx"}, ["task.pooling=maxx does not fit a multi-label task", "did you mean 'max'?"]),
        ({"task__pooling": "max"}, ["task.pooling=max does not fit a ner task"]),
        ({**TOPICS, "task__thresholds": None}, ["task.thresholds=None is unknown", "dev, fixed"]),
        ({**TOPICS, "task__thresholds": "fxed"}, ["task.thresholds=fxed is unknown", "did you mean 'fixed'?"]),
        ({"task__thresholds": "dev"}, ["task.thresholds=dev: a ner task has no thresholds"]),
        ({**TOPICS, "task__kind": "multi-class"}, ["task.thresholds=dev: a multi-class task has no thresholds"]),
        ({**ENCODER, "model__layers": []}, ["model.layers=[] must name one layer or more"]),
        ({**ENCODER, "model__layers": [2, 0]}, ["model.layers=[2, 0] must name", "in rising order, such as [0,2,5]"]),
        ({**ENCODER, "model__layers": [1, 1]}, ["model.layers=[1, 1] must name", "each once"]),
        ({**ENCODER, "model__layers": [-1]}, ["model.layers=[-1] must name", "counted from 0"]),
        ({"model__layers": [0]}, ["model.layers=[0]: a lookup model has no layers"]),
        ({**STUDENT, "distil": None}, ["distil_from=models/a/1: distil=null does not say how"]),
        ({**STUDENT, "distil": {"temperature": 0.0, "weight": 0.5}}, ["distil.temperature=0.0 must be positive"]),
        (
            {**STUDENT, "distil": {"temperature": 2.0, "weight": 0.0}},
            ["distil.weight=0.0 is the teacher's share of the loss: 0 < weight <= 1"],
        ),
        ({**STUDENT, "distil": {"temperature": 2.0, "weight": 1.5}}, ["distil.weight=1.5"]),
        ({**STUDENT, "model__kind": "lookup"}, ["distil_from=models/a/1: a lookup model cannot learn scores"]),
        ({**STUDENT, "cv": {"folds": 5, "fold": 0}}, ["distil_from=models/a/1: in a cross-validation its teacher may have learnt from"]),
        (
            {**STUDENT, "task__name": "mlm", "task__kind": "mlm", "task__labels": [], "task__leave_out": []},
            ["distil_from=models/a/1: task=mlm learns from texts alone"],
        ),
        ({"target_precision": 0.0}, ["target_precision=0.0 must lie above 0, and at 1 at most"]),
        ({"target_precision": 1.1}, ["target_precision=1.1 must lie above 0"]),
        ({"data__split_by": "dates"}, ["data.split_by='dates' is unknown", "did you mean 'date'?"]),
        ({"data__split_by": "files"}, ["data.split_by='files' is unknown", "did you mean 'file'?"]),
        ({"data__sha256": {"a.txt": "0abc"}}, ["data.sha256 of a.txt: '0abc' is no SHA-256 (64 hex digits)"]),
        ({"data__split_shares": {"train": 0.8, "test": 0.2}}, ["data.split_shares must name train, dev, test, found train, test"]),
        ({"data__split_shares__dev": 0.2}, ["data.split_shares must be positive and add up to 1", "'dev': 0.2"]),
        ({"data__split_shares": {"train": 0.8, "dev": 0.0, "test": 0.2}}, ["data.split_shares must be positive"]),
        ({"model__kind": "loookup"}, ["model.kind='loookup' is unknown", "did you mean 'lookup'?"]),
        ({"model__kind": "encoder"}, ["an encoder needs model.path or model.package"]),
        ({"model__kind": "encoder", "model__path": "a", "model__package": "b"}, ["an encoder needs model.path or model.package"]),
        ({"trainer__epochs": 0}, ["trainer.epochs=0 must be positive"]),
        ({"trainer__learning_rate": -0.1}, ["trainer.learning_rate=-0.1 must be positive"]),
        ({"trainer__warmup": 1.0}, ["trainer.warmup=1.0"]),
        ({"trainer__patience": 0}, ["trainer.patience=0 must be positive or null"]),
        ({"cv__fold": 0}, ["cv.fold=0 needs cv.folds="]),
        ({"cv": {"folds": 2, "fold": 0}}, ["cv.folds=2: three or more are needed"]),
        ({"cv": {"folds": 3, "fold": 3}}, ["cv.fold=3 must lie between 0 and 2, for cv.folds=3"]),
        ({"cv": {"folds": 3, "fold": -1}}, ["cv.fold=-1 must lie between 0 and 2"]),
    ],
)
def test_rules_between_training_options(changes, problems):
    with refused(*problems):
        load(TrainConfig, train_options(**changes))


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({"split": "dev", "articles": "x"}, ["give split= or articles=, not both"]),
        ({"split": "tset"}, ["split='tset' is no split", "did you mean 'test'?"]),
        ({"target_precision": 0.9}, ["target_precision=0.9: thresholds are fitted on dev only; say split=dev"]),
        ({"target_precision": 0.9, "split": "test"}, ["fitted on dev only"]),
        ({"target_precision": 0.9, "articles": "x"}, ["fitted on dev only"]),
        ({"target_precision": 0.0, "split": "dev"}, ["target_precision=0.0 must lie above 0"]),
        ({"target_precision": 0.9, "split": "dev", "backend": "int8"}, ["thresholds are fitted to torch's scores"]),
        ({"backend": "onxx"}, ["backend='onxx' is unknown; did you mean 'onnx'?"]),
        ({"name": "mine"}, ["name=mine needs articles="]),
        ({"name": "test", "articles": "x"}, ["name=test is reserved for the split"]),
        ({"name": "folds", "articles": "x"}, ["name=folds is reserved for cross-validation"]),
        ({"name": "../mine", "articles": "x"}, ["name='../mine' must be a plain file name"]),
        ({"name": ".mine", "articles": "x"}, ["name='.mine' must be a plain file name"]),
    ],
)
def test_rules_between_evaluation_options(changes, problems):
    with refused(*problems):
        load(EvaluateConfig, {**EVALUATE, **changes})


@pytest.mark.parametrize(
    ("value", "valid"), [(None, 1), (0, 1), (0.7, 1), (1, 1), ("calibrated", 1), (1.1, 0), (-0.1, 0), ("calibratd", 0)]
)
def test_a_least_score_is_a_number_or_calibrated(value, valid):
    options = {**PREDICT, "min_score": value}
    if valid:
        assert load(PredictConfig, options).min_score == value
    else:
        with refused(f"min_score={value} must be a number from 0 to 1, calibrated, or null"):
            load(PredictConfig, options)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"text_field": ""}, "text_field= and id_field= must name a column or key"),
        ({"text_field": "id"}, "text_field=id and id_field=id must not be the same"),
        ({"max_chars": 0}, "max_chars=0 is the longest text that is read, in characters: it must be positive"),
        ({"engine": "rya"}, "engine='rya' is unknown; did you mean 'ray'?"),
        ({"workers": 0}, "workers=0 must be 1 or more"),
        ({"threads": 0}, "threads=0 must be 1 or more, or null"),
    ],
)
def test_options_of_prediction(changes, problem):
    load(PredictConfig, PREDICT)
    with refused(problem):
        load(PredictConfig, {**PREDICT, **changes})

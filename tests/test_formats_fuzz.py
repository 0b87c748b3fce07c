"""Any bytes end as articles that can be written again, or as rejects: random ones, sound files damaged, and what fuzzing has found."""

import json

import pytest
from fuzz_formats import SOUND, read_any
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize("name", SOUND)
def test_sound_content_is_read(tmp_path, name):
    n_articles, n_rejected = read_any(tmp_path, name, SOUND[name])
    assert n_articles and not n_rejected


@st.composite
def damaged(draw, content):
    """Return `content` with pieces of it cut out, doubled, or overwritten with other bytes."""
    for _ in range(draw(st.integers(1, 3))):
        start, end = sorted(draw(st.tuples(st.integers(0, len(content)), st.integers(0, len(content)))))
        middle = draw(
            st.binary(max_size=8) | st.just(content[start:end] * 2) | st.sampled_from([b"\0", b'"', b"\xff", b"\n", b"\\ud800", b"*"])
        )
        content = content[:start] + middle + content[end:]
    return content


@pytest.mark.parametrize("name", SOUND)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_bytes_are_articles_or_rejects(tmp_path, name, data):
    read_any(tmp_path, name, data.draw(st.binary(max_size=200) | damaged(SOUND[name])))


VALUES = st.sampled_from([None, True, 0, -1, 2, 10**20, 0.5, "", "x", "\ud83d", [], [0], ["x"], [[]], {}, {"x": 0}, {"choices": 1}])


@st.composite
def misfilled(draw, value):
    """Return a copy of a JSON value with another value in one place."""
    if isinstance(value, (dict, list)) and value and draw(st.integers(0, 5)):
        copy = value.copy()
        place = draw(st.sampled_from(list(copy) if isinstance(copy, dict) else range(len(copy))))
        copy[place] = draw(misfilled(copy[place]))
        return copy
    return draw(VALUES)


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "min.json", "doccano.jsonl", "prodigy.jsonl"])
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_value_in_any_place_is_read_or_rejected(tmp_path, name, data):
    rows = [SOUND[name]] if name.endswith(".json") else SOUND[name].splitlines()
    read_any(tmp_path, name, b"\n".join(json.dumps(data.draw(misfilled(json.loads(row)))).encode() for row in rows))


FOUND = [
    ("a.md", b"---\nid: a\nx: " + b"[" * 5000 + b"\n---\n"),
    ("a.md", b'---\nid: a\nx: "\\ud83d"\n---\n'),
    ("a.md", b'---\nid: a\nx: "\\U00110000"\n---\n'),
    ("a.md", b"---\nid: a\nx: &x [*x]\n---\n"),
    ("a.md", b"---\nid: a\ntext: y\nspans: z\n---\n"),
    ("a.jsonl", b'{"text": "", "x": ' + b"[" * 700 + b"]" * 700 + b"}"),
    ("a.jsonl", b'{"text": "", "labels": {"x": ["\\ud800"]}}'),
]


@pytest.mark.parametrize(("name", "content"), FOUND)
def test_what_was_found_once(tmp_path, name, content):
    n_articles, n_rejected = read_any(tmp_path, name, content)
    assert n_articles + n_rejected == 1

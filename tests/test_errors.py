import pytest

from sitrep.errors import did_you_mean, nearest

KNOWN = ("PERSON", "LOCATION", "ARMED_GROUP")


@pytest.mark.parametrize(
    ("word", "meant"), [("PRSON", "PERSON"), ("location", "LOCATION"), ("ArmedGroup", "ARMED_GROUP"), ("zzz", None), ("", None)]
)
def test_nearest_ignores_case_and_gives_up_on_strangers(word, meant):
    assert nearest(word, KNOWN) == meant


@pytest.mark.parametrize(
    ("word", "known", "phrase"),
    [
        ("PRSON", KNOWN, "; did you mean 'PERSON'? Known: ARMED_GROUP, LOCATION, PERSON"),
        ("zzz", KNOWN, "; Known: ARMED_GROUP, LOCATION, PERSON"),
        ("zzz", (), "; Known: (none)"),
        ("label7", [f"label{n}" for n in range(30)], "; did you mean 'label7'?"),
        ("zzz", [f"label{n}" for n in range(30)], ""),
    ],
)
def test_did_you_mean_lists_what_is_known_where_it_is_short(word, known, phrase):
    assert did_you_mean(word, known) == phrase

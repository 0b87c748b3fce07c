"""The case of words, for encoders whose tokenizer drops it: `US` and `us` are one token there, and names are told by capitals."""

from __future__ import annotations

from transformers import PreTrainedTokenizerBase

CASES = ("lower", "title", "upper", "mixed")


def case_of(word: str) -> int:
    """Return the index in CASES of a word's case; digits and letters of scripts without case count as lower, one capital as title."""
    if word == word.lower():
        return 0
    if len(word) > 1 and word == word.upper():
        return 2
    return 1 if word[1:] == word[1:].lower() else 3


def drops_case(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Say whether a tokenizer makes the same of capitals as of small letters."""
    return tokenizer("GAO Gao")["input_ids"] == tokenizer("gao gao")["input_ids"]

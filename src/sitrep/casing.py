"""The case of words, for encoders whose tokenizer drops it: `US` and `us` are one token there, and names are told by capitals."""

from __future__ import annotations

from transformers import PreTrainedTokenizerBase


def drops_case(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Say whether a tokenizer makes the same of capitals as of small letters."""
    return tokenizer("GAO Gao")["input_ids"] == tokenizer("gao gao")["input_ids"]

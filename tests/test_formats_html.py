"""HTML: the article of a page without what stands around it, decoded as the page declares."""

import pytest
from factories import refused, write_files

from sitrep.formats import read_articles

TEXT = "Fighters left Ségou on Monday, the army said.\nTwo soldiers of the garrison were wounded near the bridge."
PAGE = """<!DOCTYPE html>
<html><head>{head}<title>Fighters leave | News</title><meta property="article:published_time" content="2021-03-04T10:00:00Z">
<link rel="canonical" href="https://news.example/africa/segou"></head>
<body><nav><a href="/">Home</a> <a href="/africa">Africa</a></nav>
<article><h1>Fighters leave</h1><p>Fighters left Ségou on Monday, the army said.</p>
<p>Two soldiers of the garrison were wounded near the bridge.</p></article>
<div class="comments"><p>First comment!</p></div><footer>All rights reserved</footer></body></html>"""


def page(head="", encoding="utf-8"):
    return PAGE.format(head=head).encode(encoding)


def test_the_article_and_what_the_page_states_of_it(tmp_path):
    write_files(tmp_path, {"africa/segou.html": page()})
    (article,) = read_articles(tmp_path)
    assert article.id == "africa/segou"
    assert article.text.endswith(TEXT) and "Home" not in article.text and "comment" not in article.text
    assert article.extra == {"title": "Fighters leave", "date": "2021-03-04", "url": "https://news.example/africa/segou"}


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        ('<meta charset="utf-8">', "utf-8"),
        ("", "utf-8-sig"),
        ("", "utf-16"),
        ('<meta charset="ISO-8859-1">', "latin-1"),
        ("<META CHARSET=latin1>", "cp1252"),
        ('<meta http-equiv="Content-Type" content="text/html; charset=windows-1252">', "cp1252"),
        ('<!-- <meta charset="utf-8"> --><meta charset="macintosh">', "mac-roman"),
        ('<meta charset="utf-16">', "utf-8"),
    ],
)
def test_a_page_is_decoded_as_it_declares(tmp_path, head, encoding):
    write_files(tmp_path, {"a.htm": page(head, encoding)})
    (article,) = read_articles(tmp_path)
    assert "left Ségou" in article.text


def test_xhtml_declares_in_its_first_line(tmp_path):
    write_files(tmp_path, {"a.html": b'<?xml version="1.0" encoding="ISO-8859-1"?>\n' + page(encoding="latin-1")})
    (article,) = read_articles(tmp_path)
    assert "left Ségou" in article.text


def test_what_browsers_take_for_latin_1(tmp_path):
    head = '<meta charset="iso-8859-1">'
    write_files(
        tmp_path, {"a.html": page(head).replace("é".encode(), b"\x93e\x94"), "b.html": page(head).replace("é".encode(), b"\x81e\xe9")}
    )
    curly, control = read_articles(tmp_path)
    assert "S“e”gou" in curly.text and "eégou" in control.text


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (page(encoding="latin-1"), "not UTF-8: byte 0xe9 at byte"),
        (page('<meta charset="ascii-art">'), "the page declares the encoding 'ascii-art', which is unknown"),
        (page('<meta charset="base64">'), "the page declares the encoding 'base64', which is unknown"),
        (page('<meta charset="punycode">'), "the page declares the encoding 'punycode', which is unknown"),
        (page('<meta charset="iso-2022-jp">'), "not ISO2022_JP, which the page declares: byte 0x"),
        (b"", "no article text was found in the page"),
        (b"<html><body></body></html>", "no article text was found in the page"),
        (b"<html><body><script>var x = 1;</script></body></html>", "no article text was found in the page"),
        (b"\x89PNG\0\0", "binary (NUL byte"),
        (page('<meta charset="latin-1">') + b"\0", "binary (NUL byte"),
    ],
)
def test_a_page_without_an_article_is_rejected(tmp_path, content, problem):
    write_files(tmp_path, {"a.html": content, "b.txt": "Rain."})
    rejected = []
    assert [article.id for article in read_articles(tmp_path, reject=rejected.append)] == ["b"]
    assert [problem in error.reason for error in rejected] == [True], rejected


def test_a_fragment_is_a_page(tmp_path):
    write_files(tmp_path, {"a.html": "<p>Rain fell on the town.</p>"})
    assert [article.text for article in read_articles(tmp_path)] == ["Rain fell on the town."]


def test_the_limit_counts_the_article_and_not_its_page(tmp_path):
    write_files(tmp_path, {"a.html": page()})
    (article,) = read_articles(tmp_path)
    assert len(list(read_articles(tmp_path, max_chars=len(article.text)))) == 1 < len(page()) / (4 * len(article.text))
    with refused(f"{len(article.text)} characters, more than max_chars={len(article.text) - 1} allows"):
        list(read_articles(tmp_path, max_chars=len(article.text) - 1))


def test_rows_are_not_taken_for_pages(tmp_path):
    write_files(tmp_path, {"a.jsonl": '{"text": "<p>Rain.</p>"}'})
    assert [article.text for article in read_articles(tmp_path)] == ["<p>Rain.</p>"]

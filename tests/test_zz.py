import json
def test_a(ner_run, topics_run, lookup_run):
    for r in (ner_run, topics_run, lookup_run):
        print(r.path, r.info()["seconds"])
        print((r.path/"history.jsonl").read_text() if (r.path/"history.jsonl").exists() else "")
        print(r.metrics("dev")["strict"]["micro"])
        print(sorted(str(p.relative_to(r.path)) for p in r.path.rglob("*")))

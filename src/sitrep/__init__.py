"""sitrep: named entities, topics and region of articles on armed conflict, from hand labels to a model that reads the rest."""

__version__ = "0.1.0"

"""What tests of backends share: windows of unlike length, and an export that goes wrong."""

from torch import nn

from sitrep.articles import Article
from sitrep.exporting import export_network
from sitrep.heads.base import pad_windows

TEXT = "Gunmen of the Desert Front abducted a nurse near Gao on Monday. Her captors want a ransom, Amina Sow said in Mopti. "


def uneven_batch(network):
    """Return a padded batch of windows from none of TEXT's tokens to all that fit, and their lengths."""
    windower = network.windower
    articles = [Article(str(number), TEXT[:number]) for number in (300, 60, 20, 0)]
    windows = [windower.inputs(article, article.windows[0]) for article in windower.encode(articles)]
    return pad_windows(windows, windower.pad_id), [len(window["input_ids"]) for window in windows]


class Careless(nn.Module):
    """Scores windows as if padding were text."""

    def __init__(self, network) -> None:
        super().__init__()
        self.network = network

    def forward(self, input_ids, attention_mask, token_type_ids=None):
        types = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        return self.network.score(input_ids=input_ids, attention_mask=attention_mask * 0 + 1, **types)


def export_carelessly(network, path) -> None:
    export_network(network, path, Careless(network))

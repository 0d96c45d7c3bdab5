"""Every corpus reader by its name. A new corpus is one file and one line here."""

from __future__ import annotations

from ser_core.corpora.banglaser import BanglaSer
from ser_core.corpora.base import Reader
from ser_core.corpora.cremad import CremaD
from ser_core.corpora.emodb import EmoDb
from ser_core.corpora.emotiontts import EmotionTts
from ser_core.corpora.folders import Folders
from ser_core.corpora.indowave import IndoWave
from ser_core.corpora.kaggle import Kaggle
from ser_core.corpora.nemo import Nemo
from ser_core.corpora.ravdess import Ravdess
from ser_core.corpora.ravdess_song import RavdessSong
from ser_core.corpora.savee import Savee
from ser_core.corpora.table import TableCorpus
from ser_core.corpora.tess import Tess
from ser_core.corpora.urdu import Urdu

GRAMMARS: tuple[Reader, ...] = (
    EmoDb(),
    Ravdess(),
    RavdessSong(),
    CremaD(),
    Tess(),
    Savee(),
    Nemo(),
    Urdu(),
    BanglaSer(),
    IndoWave(),
    EmotionTts(),
)
READERS: dict[str, Reader] = {
    one.name: one for one in (*GRAMMARS, Kaggle(GRAMMARS), Folders(), TableCorpus())
}
"""Every reader by its name. A new corpus is one file and one line here."""

"""RAVDESS, sung part (Livingstone and Russo 2018)."""

from __future__ import annotations

from ser_core.corpora.ravdess import Ravdess


class RavdessSong(Ravdess):
    """``03-02-05-01-02-01-12``: as the spoken part, by the same actors, with channel 02."""

    name = "ravdess_song"
    title = "RAVDESS (song)"
    description = (
        "North American English, sung by 23 of the RAVDESS actors, 6 emotions with calm; "
        "names like 03-02-05-01-02-01-12.wav"
    )
    folder_names = ("ravdess_song", "audio_song_actors_01-24")

"""The descriptors of a voice by name, and what each tells; importing it imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

N_MFCC = 20


@dataclass(frozen=True)
class Descriptor:
    """A row or group of rows that describe a voice.

    Attributes:
        name: key in ``DESCRIPTORS``.
        count: rows (with the default parameters).
        unit: what its numbers are in.
        says: what it tells about a voice, in one sentence.
    """

    name: str
    count: int
    unit: str
    says: str


DESCRIPTORS: dict[str, Descriptor] = {
    d.name: d
    for d in (
        Descriptor(
            "zcr",
            1,
            "sign changes per sample",
            "How often the wave crosses zero: high in hissing and breath, low in voiced vowels.",
        ),
        Descriptor(
            "rms",
            1,
            "full scale",
            "How loud the voice is: anger and joy push it up, sadness lets it sink.",
        ),
        Descriptor(
            "mfcc",
            N_MFCC,
            "dB, cosine-transformed",
            "The shape of the vocal tract: the envelope of the spectrum in a few numbers.",
        ),
        Descriptor(
            "mfcc_delta",
            N_MFCC,
            "per frame",
            "How fast that shape changes: lively or slurred articulation.",
        ),
        Descriptor(
            "mfcc_delta2",
            N_MFCC,
            "per frame²",
            "How abruptly that change starts and stops: hard attacks and held sounds.",
        ),
        Descriptor(
            "centroid",
            1,
            "Hz",
            "Where the weight of the spectrum lies: a tense voice is brighter than a calm one.",
        ),
        Descriptor(
            "bandwidth",
            1,
            "Hz",
            "How widely the energy spreads around that point: narrow for hums, wide for noise.",
        ),
        Descriptor(
            "flatness",
            1,
            "0 to 1",
            "How noise-like the sound is: near 1 for breath and whispers, near 0 for clear tones.",
        ),
        Descriptor(
            "rolloff_85",
            1,
            "Hz",
            "Below which frequency 85 % of the sound lies: pressed voices carry further up.",
        ),
        Descriptor(
            "rolloff_01",
            1,
            "Hz",
            "Where the sound begins: close to the lowest partial of the voice.",
        ),
        Descriptor(
            "chroma",
            12,
            "share of the strongest",
            "Which pitch classes sound, whatever the octave: the melody of the speech.",
        ),
        Descriptor(
            "tonnetz",
            6,
            "tonal centroid",
            "How these pitches relate as fifths and thirds: the harmony of the melody.",
        ),
    )
}
"""Every descriptor in the order of the rows."""

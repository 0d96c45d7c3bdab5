"""Whatever bytes come, `predict` ends in a sound answer or in a sentence: 2,000 mutated files."""

from __future__ import annotations

import functools
import io
import math
import os
import random
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ser_core.errors import SerError
from ser_core.inference.recognizer import Recognizer

ROOT = Path(__file__).resolve().parents[2]
RATE = 16_000
SOUNDFILE = {
    "wav": ("WAV", "PCM_16"),
    "float wav": ("WAV", "DOUBLE"),
    "adpcm wav": ("WAV", "MS_ADPCM"),
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "VORBIS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "aiff": ("AIFF", "PCM_16"),
    "w64": ("W64", "PCM_16"),
}
FFMPEG = {"mp4": ("mp4", "aac"), "webm": ("webm", "libopus")}
CONTAINERS = (*SOUNDFILE, *FFMPEG)
FILES = 2000


@functools.cache
def packed(container: str) -> bytes:
    """Return a short clip of speech in a container."""
    samples, rate = soundfile.read(ROOT / "examples" / "2_lively.flac", dtype="float32")
    samples = samples[rate // 2 : rate // 2 + round(0.35 * rate)]
    buffer = io.BytesIO()
    if container in SOUNDFILE:
        kind, subtype = SOUNDFILE[container]
        soundfile.write(buffer, samples, rate, format=kind, subtype=subtype)
        return buffer.getvalue()
    kind, codec = FFMPEG[container]
    with av.open(buffer, "w", format=kind) as file:
        stream = file.add_stream(codec, rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), "fltp", "mono")
        frame.sample_rate = rate
        size = stream.codec_context.frame_size or 960
        resampler = av.AudioResampler(stream.codec_context.format, "mono", 48_000, frame_size=size)
        for part in [*resampler.resample(frame), *resampler.resample(None), None]:
            file.mux(stream.encode(part))
    return buffer.getvalue()


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Return bytes with what disks, networks and other programs do to them."""
    made = bytearray(data)
    # Headers steer the decoders, so that half of all changes are there.
    end = rng.choice((64, len(made)))
    for _ in range(rng.choice((1, 1, 2, 8, 40))):
        at = rng.randrange(max(1, min(end, len(made))))
        match rng.randrange(6):
            case 0:
                made[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                made[at : at + 4] = rng.choice((b"\0" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff"))
            case 2:
                del made[at : at + rng.randrange(1, 200)]
            case 3:
                made[at:at] = rng.randbytes(rng.randrange(1, 60))
            case 4:
                made[at : at + 8] = made[-8:]
            case 5:
                made = made[: max(1, rng.randrange(len(made)))]
        if not made:
            return b"\0"
    return bytes(made)


def check(recognizer: Recognizer, data: bytes) -> bool:
    """Predict; anything but a finite answer or one sentence fails. Return whether it answered."""
    found, refusal = None, ""
    try:
        found = recognizer.predict(data, name="clip")
    except SerError as error:
        refusal = str(error)
    if found is None:
        assert refusal.strip()
        assert "\n" not in refusal
        return False
    shares = list(found.probabilities.values())
    assert all(math.isfinite(share) and 0 <= share <= 1 for share in shares)
    if found.emotion is not None:
        assert math.isclose(sum(shares), 1, abs_tol=1e-3)
    assert math.isfinite(found.seconds)
    assert math.isfinite(found.entropy)
    found.to_json()
    return True


@pytest.fixture(scope="module")
def recognizer(small_model: Path) -> Recognizer:
    return Recognizer(small_model, "cpu")


def test_every_container_is_predicted_as_it_comes(recognizer: Recognizer) -> None:
    assert all(check(recognizer, packed(container)) for container in CONTAINERS)


@pytest.mark.slow
def test_two_thousand_mutated_files_end_in_an_answer_or_a_sentence(
    recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = os.environ["PATH"]
    rng = random.Random(12)
    answered = 0
    for number in range(FILES):
        container = CONTAINERS[number % len(CONTAINERS)]
        data = mutated(packed(container), rng)
        # The program ffmpeg is the last resort, and a process for each file takes minutes.
        monkeypatch.setenv("PATH", path if number % 40 == 0 else "")
        try:
            answered += check(recognizer, data)
        except Exception as error:
            error.add_note(f"file {number} ({container}): {data[:4000].hex()}")
            raise
    assert FILES // 10 < answered < FILES


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(container=st.sampled_from(CONTAINERS), data=st.data())
def test_any_change_of_a_header_ends_in_an_answer_or_a_sentence(
    recognizer: Recognizer, container: str, data: st.DataObject
) -> None:
    made = bytearray(packed(container))
    for _ in range(data.draw(st.integers(1, 6))):
        made[data.draw(st.integers(0, min(120, len(made) - 1)))] = data.draw(st.integers(0, 255))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", "")
        check(recognizer, bytes(made[: data.draw(st.integers(1, len(made)))]))

"""Decoding: what goes in comes out at the right rate, length, level and shape, or as a sentence."""

from __future__ import annotations

import contextlib
import hashlib
import io
import math
import tracemalloc
import wave
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from ser_core import audio
from ser_core.audio import decoders, decoding
from ser_core.errors import AudioError


def tone(rate: int, seconds: float = 0.5, hertz: float = 440.0, channels: int = 1) -> np.ndarray:
    time = np.arange(int(rate * seconds)) / rate
    wanted = 0.4 * np.sin(2 * np.pi * hertz * time)
    return np.repeat(wanted[None].astype(np.float32), channels, axis=0)


def packed(samples: np.ndarray, rate: int, container: str, subtype: str | None = None) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples.T, rate, format=container, subtype=subtype)
    return buffer.getvalue()


def encoded(samples: np.ndarray, rate: int, container: str, codec: str) -> bytes:
    """Encode with FFmpeg's libraries what soundfile can't write."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as file:
        layout = "mono" if len(samples) == 1 else "stereo"
        stream = file.add_stream(codec, rate=rate, layout=layout)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), "fltp", layout)
        frame.sample_rate = rate
        resampler = av.AudioResampler(
            stream.codec_context.format, layout, rate, frame_size=stream.codec_context.frame_size
        )
        for part in [*resampler.resample(frame), *resampler.resample(None), None]:
            file.mux(stream.encode(part))
    return buffer.getvalue()


def pitch(samples: np.ndarray, rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples[0] * np.hanning(samples.shape[1])))
    return float(np.argmax(spectrum) * rate / samples.shape[1])


@pytest.mark.parametrize(
    ("container", "subtype", "tolerance"),
    [
        ("WAV", "PCM_U8", 0.03),
        ("WAV", "PCM_16", 1e-3),
        ("WAV", "PCM_24", 1e-3),
        ("WAV", "PCM_32", 1e-3),
        ("WAV", "FLOAT", 1e-3),
        ("WAV", "DOUBLE", 1e-3),
        ("WAV", "ULAW", 0.02),
        ("WAV", "MS_ADPCM", 0.05),
        ("FLAC", "PCM_16", 1e-3),
        ("OGG", "VORBIS", 0.05),
        ("OGG", "OPUS", 0.05),
        ("MP3", None, 0.05),
        ("AIFF", "PCM_16", 1e-3),
        ("CAF", "PCM_16", 1e-3),
        ("AU", "PCM_16", 1e-3),
    ],
)
def test_reads_what_soundfile_writes(container: str, subtype: str | None, tolerance: float) -> None:
    data = packed(tone(48000, channels=2), 48000, container, subtype)
    clip = audio.load(data, name="clip")
    assert clip.samples.dtype == np.float32
    assert clip.samples.shape[0] == 2
    assert abs(clip.samples.shape[1] - 8000) <= 160
    assert (clip.sample_rate, clip.source_rate, clip.notes) == (16000, 48000, ())
    assert clip.sha256 == hashlib.sha256(data).hexdigest()
    middle = clip.samples[:, 2000:6000]
    assert abs(np.abs(middle).max() - 0.4) <= 0.4 * tolerance + 1e-3
    assert abs(pitch(middle, 16000) - 440) < 4


@pytest.mark.parametrize(
    ("container", "codec"),
    [
        ("mp4", "aac"),
        ("adts", "aac"),
        ("webm", "libopus"),
        ("matroska", "libopus"),
        ("asf", "aac"),
    ],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_reads_what_needs_ffmpegs_libraries(container: str, codec: str, channels: int) -> None:
    clip = audio.load(encoded(tone(48000, channels=channels), 48000, container, codec))
    assert clip.samples.shape[0] == channels
    assert abs(clip.seconds - 0.5) < 0.1
    assert clip.notes == ()
    assert abs(pitch(clip.samples[:, 2000:6000], 16000) - 440) < 4


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 96000, 192000])
def test_every_rate_becomes_the_wanted_one(rate: int) -> None:
    clip = audio.load(packed(tone(rate), rate, "WAV"))
    assert clip.source_rate == rate
    assert abs(clip.samples.shape[1] - 8000) <= 1
    assert abs(pitch(clip.samples, 16000) - 440) < 4
    assert abs(audio.load(packed(tone(rate), rate, "WAV"), sample_rate=8000).seconds - 0.5) < 0.001


def test_what_lies_above_the_new_band_does_not_fold_back() -> None:
    clip = audio.load(packed(tone(48000, hertz=15000), 48000, "WAV", "FLOAT"))
    assert np.abs(clip.samples[:, 500:-500]).max() < 1e-3


def test_blocks_and_one_piece_resample_alike() -> None:
    sound = tone(44100, seconds=8.0)
    whole = audio.resample(sound, 44100, 16000)
    clip = audio.load(packed(sound, 44100, "WAV", "FLOAT"))
    np.testing.assert_allclose(clip.samples, whole, atol=1e-6)


def test_more_than_two_channels_become_one_and_it_is_said() -> None:
    sound = np.stack([tone(16000)[0] * level for level in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)])
    clip = audio.load(packed(sound, 16000, "WAV", "FLOAT"), max_seconds=2)
    np.testing.assert_allclose(clip.samples, sound.mean(axis=0, keepdims=True), atol=1e-6)
    assert clip.notes == ("The 6 channels were mixed into one.",)


@pytest.mark.parametrize("ending", [".wav", ".mp3", ".txt", ""])
def test_the_content_decides_and_not_the_name(tmp_path: Path, ending: str) -> None:
    for container in ("AIFF", "FLAC", "MP3", "WAV"):
        path = tmp_path / f"clip{ending}"
        path.write_bytes(packed(tone(16000), 16000, container))
        assert abs(audio.load(path).seconds - 0.5) < 0.1


def test_a_tag_before_the_sound_is_skipped() -> None:
    tag = b"ID3\x04\x00\x00\x00\x00\x02\x00" + bytes(256)
    assert audio.load(tag + packed(tone(16000), 16000, "MP3")).seconds > 0.4
    assert audio.load(tag + encoded(tone(16000), 16000, "adts", "aac")).seconds > 0.4


@pytest.mark.parametrize(
    "name", ["Ärger (2).wav", "=cmd.wav", "it's “so”, he said.wav", "-sad 01.wav", "日本 語.wav"]
)
def test_odd_names_are_only_names(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(packed(tone(16000), 16000, "WAV"))
    assert audio.load(path).name == name
    path.write_bytes(b"")
    with pytest.raises(AudioError, match="is empty") as caught:
        audio.load(path)
    assert name in str(caught.value)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"happy,joy\n", "its content is text"),
        (b"<!DOCTYPE html><html>404", "a web page"),
        (b"#EXTM3U\nfile:///etc/passwd\n", "its content is text"),
        (b"ffconcat version 1.0\nfile x.wav\n", "its content is text"),
        (b"\x89PNG\r\n\x1a\n" + bytes(90), "a picture"),
        (b"PK\x03\x04" + bytes(90), "zip archive"),
        (bytes(4000), "nothing but zero bytes"),
        (b"RIFF\x10\x00\x00\x00WAVEjunk", "no sound could be read"),
        (b"\x00\x00\x00\x20ftypM4A " + bytes(500), "no sound could be read"),
        (b"OggS" + bytes(500), "no sound could be read"),
    ],
)
def test_what_is_not_sound_gets_a_sentence(data: bytes, words: str) -> None:
    with pytest.raises(AudioError, match=words) as caught:
        audio.load(data, name="clip.wav")
    sentence = str(caught.value)
    assert "“clip.wav”" in sentence
    assert "\n" not in sentence
    assert "BytesIO" not in sentence
    assert sentence.endswith(".")


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(["WAV", "FLAC", "OGG", "MP3", "AIFF"]), st.data())
def test_damaged_bytes_never_end_in_anything_but_sound_or_a_sentence(
    container: str, data: st.DataObject
) -> None:
    whole = bytearray(packed(tone(16000, 0.1), 16000, container))
    for _ in range(data.draw(st.integers(0, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    with contextlib.suppress(AudioError):  # any other error fails the test
        clip = audio.load(bytes(whole[:cut]), max_seconds=60)
        assert np.isfinite(clip.samples).all()
        assert clip.samples.shape[1] > 0


@pytest.mark.parametrize("container", ["MP3", "WAV", "FLAC", "OGG", "AIFF"])
def test_a_truncated_file_is_taken_as_far_as_it_goes_and_says_so(container: str) -> None:
    whole = packed(tone(16000, 4.0), 16000, container, "OPUS" if container == "OGG" else None)
    clip = audio.load(whole[: len(whole) // 2], name="half")
    assert 0.5 < clip.seconds < 3.5
    assert "ends early" in clip.notes[0]
    assert audio.load(whole).notes == ()


def test_a_wav_from_a_pipe_with_placeholder_sizes_is_whole() -> None:
    data = bytearray(packed(tone(16000), 16000, "WAV", "PCM_16"))
    data[4:8] = data[40:44] = b"\xff\xff\xff\xff"
    clip = audio.load(bytes(data))
    assert clip.seconds == 0.5
    assert clip.notes == ()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_samples_that_are_no_numbers_are_refused(value: float) -> None:
    sound = tone(44100)
    sound[0, 100:103] = value
    with pytest.raises(AudioError, match=r"3 of its samples are not numbers"):
        audio.load(packed(sound, 44100, "WAV", "FLOAT"), name="x.wav")


def test_no_samples_are_refused() -> None:
    for container in ("WAV", "AIFF"):
        with pytest.raises(AudioError, match=r"holds no sound|no sound could be read"):
            audio.load(packed(np.zeros((1, 0), np.float32), 16000, container))
    with pytest.raises(AudioError, match="too short"):
        audio.load(packed(np.ones((1, 1), np.float32), 48000, "WAV"))


def test_a_three_hour_recording_is_refused_without_filling_the_memory() -> None:
    three_hours = packed(np.zeros((1, 3 * 3600 * 1000), np.float32), 1000, "FLAC", "PCM_16")
    tracemalloc.start()
    with pytest.raises(AudioError, match=r"3 h long; at most 1 h .* Cut it into parts"):
        audio.load(three_hours, name="lecture.flac")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6


def test_the_limit_holds_where_no_header_states_the_length() -> None:
    with pytest.raises(AudioError, match="is longer than 1 s; at most 1 s"):
        audio.load(encoded(tone(16000, 4.0), 16000, "adts", "aac"), max_seconds=1)


def test_many_channels_cost_no_more_memory_than_one() -> None:
    data = packed(np.zeros((8, 40 * 48000), np.float32), 48000, "FLAC", "PCM_16")
    tracemalloc.start()
    assert audio.load(data, max_seconds=60).samples.shape == (1, 40 * 16000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6  # eight channels of 40 s at 48 kHz are 61 MB as float32


def test_too_many_bytes_are_refused_before_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "big.wav"
    with path.open("wb") as file:
        file.truncate(200 * 10**6)
    with pytest.raises(AudioError, match=r"has 200 MB or more; at most 157 MB"):
        audio.load(path)
    with path.open("rb") as file, pytest.raises(AudioError, match="at most 1 MB"):
        audio.load(file, max_bytes=10**6)


def test_what_can_not_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"“none.wav” is not there"):
        audio.load(tmp_path / "none.wav")
    with pytest.raises(AudioError, match="is a folder"):
        audio.load(tmp_path)
    with pytest.raises(AudioError, match="can't be opened"):
        audio.load("a\0b.wav")


def test_ffmpeg_reads_on_where_the_libraries_can_not(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(tone(48000), 48000, "mp4", "aac")
    monkeypatch.setattr(decoding, "DECODERS", (decoders.by_soundfile, decoders.by_ffmpeg))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(AudioError, match=r"the program ffmpeg .* is not installed"):
        audio.load(data, name="memo.m4a")


@pytest.mark.skipif(not decoders.shutil.which("ffmpeg"), reason="the program ffmpeg is absent")
def test_the_program_ffmpeg_agrees_with_the_libraries() -> None:
    data = encoded(tone(48000, channels=2), 48000, "mp4", "aac")
    blocks = list(decoders.by_ffmpeg(data, "mp4", 60.0))
    by_program = np.concatenate([block.samples for block in blocks])
    by_library = np.concatenate([b.samples for b in decoders.by_pyav(data, "mp4", 60.0)])
    length = min(len(by_program), len(by_library))
    assert blocks[0].rate == 48000
    assert abs(len(by_program) - len(by_library)) < 2100
    np.testing.assert_allclose(
        np.abs(by_program[:length]).max(0), np.abs(by_library[:length]).max(0), atol=1e-3
    )
    short = list(decoders.by_ffmpeg(encoded(tone(8000, 4.0), 8000, "mp4", "aac"), "mp4", 1.0))
    assert sum(len(block.samples) for block in short) <= 8000 * 2.1


@settings(deadline=None)
@given(st.lists(st.integers(-32768, 32767), min_size=2, max_size=400), st.sampled_from([1, 2]))
def test_sixteen_bits_survive_the_way_out_and_back(values: list[int], channels: int) -> None:
    values = values[: len(values) // channels * channels]
    frames = np.array(values, "<i2").reshape(-1, channels)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(frames.tobytes())
    clip = audio.load(buffer.getvalue())
    assert audio.to_wav_bytes(clip.samples, 16000) == buffer.getvalue()


def test_the_way_out_keeps_the_level_and_scales_what_is_too_loud() -> None:
    for level in (0.05, 0.9):
        back = audio.load(audio.to_wav_bytes(np.full((1, 800), level, np.float32), 16000))
        np.testing.assert_allclose(back.samples, level, atol=1 / 32768)
    loud = audio.load(audio.to_wav_bytes(np.array([[2.0, -2.0, 1.0, 0.0]], np.float32), 16000))
    np.testing.assert_allclose(loud.samples[0], [1.0, -1.0, 0.5, 0.0], atol=1 / 16384)
    with pytest.raises(AudioError, match="not numbers"):
        audio.to_wav_bytes(np.array([[math.nan]], np.float32), 16000)


def test_mono_and_stereo_undo_each_other() -> None:
    sound = tone(16000)
    np.testing.assert_array_equal(audio.mono(audio.stereo(sound)), sound)
    assert audio.stereo(np.zeros((5, 7), np.float32)).shape == (2, 7)


@pytest.mark.corpora
def test_real_recordings_decode_at_the_length_that_their_list_states(corpora_root: Path) -> None:
    rows = (corpora_root / "manifest.csv").read_text(encoding="utf-8").splitlines()
    head = rows[0].split(",")
    for row in rows[1 :: max(1, len(rows) // 25)]:
        fields = dict(zip(head, row.split(","), strict=False))
        clip = audio.load(corpora_root / fields["path"])
        assert abs(clip.seconds - float(fields["seconds"])) < 0.1
        assert clip.notes == ()

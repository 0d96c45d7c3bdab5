"""Files that people really have: odd containers, lying headers, several tracks, wild levels."""

from __future__ import annotations

import io
import struct

import av
import numpy as np
import pytest
import soundfile

from ser_core import audio
from ser_core.audio import quality
from ser_core.errors import AudioError

RATE = 16000


def tone(seconds: float = 1.0, hertz: float = 440.0, rate: int = RATE) -> np.ndarray:
    time = np.arange(int(rate * seconds)) / rate
    return (0.4 * np.sin(2 * np.pi * hertz * time)).astype(np.float32)[None]


def packed(samples: np.ndarray, container: str, subtype: str | None = None) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples.T, RATE, format=container, subtype=subtype)
    return buffer.getvalue()


def muxed(container: str, codec: str, *tracks: np.ndarray, rate: int = 48000) -> bytes:
    """Encode mono tracks with FFmpeg's libraries."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as file:
        streams = [file.add_stream(codec, rate=rate, layout="mono") for _ in tracks]
        for stream, track in zip(streams, tracks, strict=True):
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(track), "fltp", "mono")
            frame.sample_rate = rate
            resampler = av.AudioResampler(
                stream.codec_context.format,
                "mono",
                rate,
                frame_size=stream.codec_context.frame_size or 1024,
            )
            for part in [*resampler.resample(frame), *resampler.resample(None), None]:
                file.mux(stream.encode(part))
    return buffer.getvalue()


def wav(values: np.ndarray, code: int, *, extra: bytes = b"", stated: int | None = None) -> bytes:
    """Write a WAVE by hand: format code 1 (integers) or 3 (floats)."""
    data = values.tobytes()
    size = values.dtype.itemsize
    head = struct.pack("<HHIIHH", code, 1, RATE, RATE * size, size, 8 * size)
    chunk = b"data" + struct.pack("<I", len(data) if stated is None else stated) + data + extra
    body = b"WAVEfmt " + struct.pack("<I", len(head)) + head + chunk
    return b"RIFF" + struct.pack("<I", len(body)) + body


def check(data: bytes, *, seconds: float = 1.0, off: float = 0.15) -> audio.Audio:
    clip = audio.load(data, name="clip")
    assert abs(clip.seconds - seconds) < off
    middle = clip.samples[0, 3000:11000]
    found = np.argmax(np.abs(np.fft.rfft(middle * np.hanning(8000)))) * RATE / 8000
    assert abs(found - 440) < 4
    return clip


@pytest.mark.parametrize("magic", [b"BW64", b"RF64", b"RIFF"])
def test_broadcast_wave_of_64_bits_is_read(magic: bytes) -> None:
    data = bytearray(packed(tone(), "RF64"))
    assert data[:4] == b"RF64"
    if magic == b"RIFF":
        data = bytearray(packed(tone(), "WAV"))
    data[:4] = magic
    check(bytes(data))


@pytest.mark.parametrize("container", ["W64", "NIST", "VOC", "AU", "CAF", "SVX"])
def test_containers_of_other_trades_are_read(container: str) -> None:
    check(packed(tone(), container, "PCM_16"))


@pytest.mark.parametrize("subtype", ["GSM610", "IMA_ADPCM", "MS_ADPCM", "ALAW", "ULAW", "DOUBLE"])
def test_telephone_codecs_are_read_and_play_in_a_browser(subtype: str) -> None:
    data = packed(tone(), "WAV", subtype)
    clip = check(data)
    sound, mime = audio.playable(data, clip)
    assert mime == "audio/wav"
    assert soundfile.info(io.BytesIO(sound)).subtype == "PCM_16"
    assert abs(audio.load(sound).seconds - clip.seconds) < 0.01


def test_what_a_browser_plays_is_sent_as_it_is() -> None:
    for container, subtype, mime in (
        ("WAV", "PCM_16", "audio/wav"),
        ("FLAC", "PCM_16", "audio/flac"),
        ("OGG", "OPUS", "audio/ogg"),
        ("MP3", None, "audio/mpeg"),
    ):
        data = packed(tone(), container, subtype)
        assert audio.playable(data, audio.load(data)) == (data, mime)
    memo = muxed("mp4", "aac", tone(rate=48000))
    assert audio.playable(memo, audio.load(memo)) == (memo, "audio/mp4")
    lossless = muxed("mp4", "alac", tone(rate=48000))
    assert audio.playable(lossless, audio.load(lossless))[1] == "audio/wav"


@pytest.mark.parametrize(
    ("container", "codec"),
    [
        ("avi", "pcm_s16le"),
        ("flv", "aac"),
        ("mpegts", "mp2"),
        ("ac3", "ac3"),
        ("wv", "wavpack"),
        ("tta", "tta"),
        ("mov", "pcm_s16le"),
        ("mp2", "mp2"),
    ],
)
def test_video_and_archive_containers_are_read(container: str, codec: str) -> None:
    check(muxed(container, codec, tone(rate=48000)))


def test_mp3_behind_anything_is_found() -> None:
    plain = packed(tone(2.0), "MP3")
    ape = b"APETAGEX" + struct.pack("<III", 2000, 32, 0) + b"\0\0\0\xa0" + bytes(8)
    for data in (
        b"\x12\x34HTTP/1.0 " + plain,
        plain[1000:],
        ape + plain,
        b"ID3\x03\0\0\x7f" + plain,
    ):
        check(data, seconds=2.0, off=0.4)


def test_aac_cut_in_a_frame_is_found() -> None:
    check(muxed("adts", "aac", tone(2.0, rate=48000))[500:], seconds=2.0, off=0.3)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"RIFF\x24\0\0\0WEBPVP8 " + bytes(90), "a picture \\(WebP\\)"),
        (b"RIFF\x24\0\0\0RMIDdata" + bytes(90), "a MIDI file"),
        (b"RIFF\x24\0\0\0XYZ fmt " + bytes(90), "kind “XYZ”, which holds no WAVE"),
        (("Dateiname;Gefühl\n" * 50).encode("utf-16"), "its content is text"),
        (bytes(range(256)) * 40, "unknown format"),
    ],
)
def test_what_only_looks_like_sound_is_told_as_what_it_is(data: bytes, words: str) -> None:
    with pytest.raises(AudioError, match=words):
        audio.load(data, name="clip.wav")


def test_a_streamed_flac_without_a_length_is_read() -> None:
    data = bytearray(packed(tone(2.2), "FLAC"))
    assert data[4] & 0x7F == 0  # STREAMINFO comes first; bytes 21 to 25 hold the total
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    clip = check(bytes(data), seconds=2.2)
    assert clip.notes == ()


def test_a_flac_that_claims_more_than_its_bytes_could_hold_is_read() -> None:
    data = bytearray(packed(tone(2.2), "FLAC"))
    data[21] |= 0x0F
    data[22:26] = b"\xff" * 4
    check(bytes(data), seconds=2.2)


def test_an_hour_of_silence_in_a_small_flac_is_still_refused_by_its_header() -> None:
    data = packed(np.zeros((1, 16_000 * 90), np.float32), "FLAC")
    with pytest.raises(AudioError, match="1 min 30 s long"):
        audio.load(data, max_seconds=60)


@pytest.mark.parametrize("stated", [0, 3200])
def test_sound_behind_the_stated_data_size_is_read_and_said(stated: int) -> None:
    values = (tone()[0] * 32767).astype("<i2")
    clip = check(wav(values, 1, stated=stated))
    assert "states less sound than the file holds" in clip.notes[0]
    info = b"LIST" + struct.pack("<I", 4) + b"INFO"
    assert audio.load(wav(values, 1, extra=info * 1)).notes == ()


def test_a_first_track_that_is_silent_gives_way_to_the_next() -> None:
    sound = tone(rate=48000)
    clip = check(muxed("matroska", "pcm_s16le", np.zeros_like(sound), sound))
    assert clip.notes == ("The first audio track is silent; track 2 is used.",)
    assert np.abs(clip.samples).max() > 0.3


@pytest.mark.parametrize(("factor", "words"), [(4.0, "by 4 dB"), (32768.0, "by 82 dB"), (1e37, "")])
def test_floats_beyond_full_scale_are_scaled_and_it_is_said(factor: float, words: str) -> None:
    values = (tone()[0] * factor).astype("<f4")
    clip = check(wav(values, 3))
    assert abs(np.abs(clip.samples).max() - 1.0) < 1e-6
    assert words in clip.notes[0]
    assert quality.inspect(clip).reject is None
    np.testing.assert_allclose(clip.samples[0] * 0.4, tone()[0], atol=1e-3)


def test_floats_of_64_bits_that_no_float_of_32_holds_are_refused_in_a_sentence() -> None:
    with pytest.raises(AudioError, match="not numbers"):
        audio.load(wav((tone()[0] * 1e300).astype("<f8"), 3))


def test_channels_in_opposite_phase_do_not_cancel() -> None:
    sound = tone()
    clip = audio.load(packed(np.concatenate([sound, -sound]), "WAV", "FLOAT"))
    assert np.abs(audio.mono(clip.samples)).max() > 0.39
    assert "opposite phase" in clip.notes[0]


def test_the_two_sides_of_a_call_are_named() -> None:
    rng = np.random.default_rng(0)
    turns = np.repeat(np.arange(6) % 2, RATE)
    noise = rng.normal(0, 0.1, (2, len(turns))).astype(np.float32)
    call = np.stack([noise[0] * turns, noise[1] * (1 - turns)]) + noise * 0.001
    found = quality.inspect(audio.load(packed(call, "WAV", "FLOAT")))
    assert any("two sides of a call" in warning for warning in found.warnings)
    room = np.stack([noise[0] * turns, noise[1] * turns]) + noise * 0.001
    found = quality.inspect(audio.load(packed(room, "WAV", "FLOAT")))
    assert not any("two sides of a call" in warning for warning in found.warnings)

"""Labelling by keys alone, in a real browser; two browsers share one queue."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ser_core import audio
from tests.browser.patience import PATIENCE

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
LETTERS = {"W": "anger", "L": "boredom", "E": "disgust", "A": "fear", "F": "joy", "T": "sadness"}
DIGITS = {"anger": 1, "boredom": 2, "disgust": 4, "fear": 5, "joy": 6, "sadness": 8}


def spoken(count: int, seconds: float = 1.6) -> Iterator[bytes]:
    """Yield different stretches of the speech that the project ships, as WAV."""
    clips = [audio.load(path) for path in sorted((ROOT / "examples").glob("*.flac"))]
    for number in range(count):
        clip = clips[number % len(clips)]
        length = round(seconds * clip.sample_rate)
        room = clip.samples.shape[1] - length
        start = room * (number // len(clips)) // (count // len(clips) + 1)
        yield audio.to_wav_bytes(clip.samples[:, start : start + length], clip.sample_rate)


def corpus(home: Path, clips: int = 26) -> Path:
    """Put a small corpus with EMO-DB's names into the home."""
    folder = home / "corpora" / "emodb" / "wav"
    folder.mkdir(parents=True)
    for number, sound in enumerate(spoken(clips)):
        speaker = ("03", "08", "09", "10")[number % 4]
        letter = list(LETTERS)[number % 6]
        name = f"{speaker}a{number // 24 + 1:02d}{letter}{'abcdef'[number // 4 % 6]}.wav"
        (folder / name).write_bytes(sound)
    return folder


@pytest.fixture
def server(start_app: Callable[..., Any], tmp_path: Path, small_model: Path) -> Iterator[Any]:
    home = tmp_path / "home"
    corpus(home)
    running = start_app(home, SER_MODEL=str(small_model))
    yield running
    running.stop()


@pytest.fixture
def open_label(open_tab: Callable[..., Any]) -> Callable[..., Any]:
    """A function that opens the tab and waits for its first clip."""

    def opened(url: str, **look: Any) -> Any:
        page = open_tab(url, "Label", **look)
        page.wait_for_selector("#label-card .clip-card", timeout=PATIENCE)
        return page

    return opened


def ticket(page: Any) -> str:
    return page.get_attribute("#label-card .clip-card", "data-ticket") or ""


def clip_of(page: Any) -> str:
    return ticket(page).partition(":")[0]


def press(page: Any, key: str) -> float:
    """Press a key, wait for another clip (or another state of this one); return milliseconds."""
    return page.evaluate(
        """(key) => new Promise((done, fail) => {
            const now = () => document.querySelector("#label-card .clip-card");
            const before = now().dataset.ticket, start = performance.now();
            const timer = setInterval(() => {
                if (performance.now() - start > 240000) { clearInterval(timer); fail(new Error(
                    document.querySelector("#label-saved").innerText)); }
                if (!now() || now().dataset.ticket === before) return;
                clearInterval(timer);
                requestAnimationFrame(() => done(performance.now() - start));
            }, 4);
            const sign = key.replace(/^(Digit|Key|Numpad)/, "");
            document.activeElement.dispatchEvent(new KeyboardEvent("keydown",
                {code: key, key: sign, bubbles: true, cancelable: true}));
        })""",
        key,
    )


def mark_segment(page: Any, start: float, end: float) -> None:
    """Set a segment's start and end by their keys, at these seconds of the clip."""
    for key, at in (("[", start), ("]", end)):
        page.evaluate(
            "at => { const a = document.querySelector('#label-card audio'); a.pause();"
            " a.currentTime = at; }",
            at,
        )
        page.keyboard.press(key)


def wait_until_left(server: Any) -> None:
    """Wait until no closed page holds a clip any more: its sitting has ended then."""
    leases = server.home / "labels" / "leases.json"
    until = time.monotonic() + 60
    while time.monotonic() < until:
        sessions = {one["session"] for one in json.loads(leases.read_text(encoding="utf-8"))}
        if len(sessions) <= 1:
            return
        time.sleep(0.1)
    pytest.fail("a page that was left still holds its clips")


def saved(page: Any) -> str:
    return str(page.inner_text("#label-saved"))


def test_twenty_clips_by_keys_alone(
    open_label: Any, server: Any, to_tab: Any, events: Any, screenshot: Callable[[Any, str], Path]
) -> None:
    page = open_label(server.url)
    page.wait_for_function("document.querySelector('#label-card audio').currentTime > 0")
    spent, seen = [], []
    for number in range(10):
        seen.append(clip_of(page))
        spent.append(press(page, "Enter"))
        assert f"Saved #{number + 1}:" in saved(page)
    for number, (emotion, digit) in enumerate(list(DIGITS.items()), start=11):
        seen.append(clip_of(page))
        key = f"Numpad{digit}" if number % 2 else f"Digit{digit}"
        spent.append(press(page, key))
        assert f"Saved #{number}: {emotion}." in saved(page)
    seen.append(clip_of(page))
    press(page, "KeyS")
    assert "Saved #17: skipped." in saved(page)
    seen.append(clip_of(page))
    press(page, "Digit6")
    press(page, "KeyU")
    assert "Saved #19: undone" in saved(page)
    assert clip_of(page) == seen[-1]
    press(page, "Digit8")
    page.check("#label-blind input")
    page.wait_for_selector("#label-card .blind", timeout=PATIENCE)
    assert page.locator("#label-card .bars").count() == 0
    assert page.locator("#label-references button").count() == 0
    assert ".wav" not in page.inner_text("#label-card")
    page.keyboard.press("Enter")
    page.wait_for_selector("#label-saved .refused", timeout=PATIENCE)
    for _ in range(2):
        seen.append(clip_of(page))
        press(page, "Digit1")
        assert "It was wav/" in saved(page)
    assert len(set(seen)) == len(seen) == 20
    rows = events(server.home)
    assert [row["action"] for row in rows].count("undo") == 1
    assert [row["action"] for row in rows].count("skip") == 1
    assert {row["clip"] for row in rows} == set(seen)
    assert [row["prediction_visible"] for row in rows][-1] == "0"
    assert all(row["prediction"] for row in rows if row["action"] == "label")
    assert all(int(row["milliseconds"]) >= 0 for row in rows if row["action"] != "undo")
    assert page.locator("#label-aside .reopen").count() == 10
    kept = {path.stem for path in (server.home / "clips").glob("*/*.wav")}
    assert kept == {row["clip"] for row in rows if row["action"] == "label"}
    print(f"key to next clip: median {statistics.median(spent):.0f} ms, worst {max(spent):.0f} ms")
    screenshot(page, "label-light")
    page.reload()
    page.wait_for_selector("#clip input[type=file]", state="attached", timeout=PATIENCE)
    to_tab(page, "Label")
    page.wait_for_selector("#label-card .clip-card", timeout=PATIENCE)
    assert page.locator("#label-aside .reopen").count() == 10
    assert "has predicted" in page.inner_text("#label-aside")
    wait_until_left(server)
    press(page, "KeyU")
    assert "undone" in saved(page)
    assert events(server.home)[-1]["session"] != rows[-1]["session"]
    assert clip_of(page) == seen[-1]


def test_keys_rest_while_typing_and_a_late_key_is_refused(
    open_label: Any, server: Any, events: Any
) -> None:
    page = open_label(server.url)
    before = ticket(page)
    # A slow machine puts the card there before its buttons.
    hiding = page.add_style_tag(content="#label-choices { display: none !important }")
    page.wait_for_selector("#label-choices", state="hidden")
    page.keyboard.press("6")
    page.wait_for_timeout(300)
    assert ticket(page) == before
    hiding.evaluate("style => style.remove()")
    page.evaluate("document.getElementById('label-choices').classList.add('late')")
    page.wait_for_selector("#label-saved .done", timeout=PATIENCE)
    page.wait_for_function(
        "before => document.querySelector('#label-card .clip-card').dataset.ticket !== before",
        arg=before,
    )
    assert [row["emotion"] for row in events(server.home)] == ["joy"]
    first = ticket(page)
    page.click("#label-details button")
    page.click("#label-note textarea, #label-note input")
    page.keyboard.type("s6u ?")
    page.wait_for_timeout(400)
    assert ticket(page) == first
    assert len(events(server.home)) == 1
    assert not page.locator("#label-help").evaluate("dialog => dialog.open")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("?")
    assert page.locator("#label-help").evaluate("dialog => dialog.open")
    page.keyboard.press("6")
    page.keyboard.press("Escape")
    assert ticket(page) == first
    page.evaluate("for (let i = 0; i < 2; i++) document.getElementById('label-choose-joy').click()")
    page.wait_for_function(
        "before => document.querySelector('#label-card .clip-card').dataset.ticket !== before",
        arg=first,
    )
    page.wait_for_timeout(1500)
    rows = events(server.home)
    assert len(rows) == 2
    assert (rows[1]["emotion"], rows[1]["note"]) == ("joy", "s6u ?")


def test_two_browsers_share_a_queue_without_a_collision(
    open_label: Any, server: Any, to_tab: Any, events: Any
) -> None:
    pages = [open_label(server.url) for _ in range(2)]
    assert clip_of(pages[0]) != clip_of(pages[1])
    seen = []
    for number in range(12):
        page = pages[number % 2]
        seen.append(clip_of(page))
        press(page, "Digit6" if number % 3 else "Enter")
        assert clip_of(pages[0]) != clip_of(pages[1])
    assert len(set(seen)) == 12
    mine = clip_of(pages[0])
    pages[0].reload()
    pages[0].wait_for_selector("#clip input[type=file]", state="attached", timeout=PATIENCE)
    to_tab(pages[0], "Label")
    pages[0].wait_for_selector("#label-card .clip-card", timeout=PATIENCE)
    assert clip_of(pages[0]) != clip_of(pages[1])
    assert mine
    rows = events(server.home)
    assert len({row["clip"] for row in rows}) == len(rows) == 12
    assert len({row["session"] for row in rows}) == 2


@pytest.mark.parametrize(("theme", "width"), [("dark", 1280), ("light", 360), ("dark", 360)])
def test_it_fits_and_reads_well(
    open_label: Any, server: Any, screenshot: Callable[[Any, str], Path], theme: str, width: int
) -> None:
    page = open_label(server.url, width=width, theme=theme)
    press(page, "Enter")
    page.wait_for_selector("#label-picture .js-plotly-plot .playhead", state="attached")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    screenshot(page, f"label-{theme}-{width}")


def test_the_picture_follows_its_card_and_is_pale_until_it_does(
    open_label: Any, server: Any
) -> None:
    page = open_label(server.url)
    in_step = """() => document.querySelector("#label-picture .js-plotly-plot")?.layout?.meta?.clip
        === document.querySelector("#label-card .clip-card").dataset.ticket.split(":")[0]
        && !document.querySelector("#label-picture.of-another")"""
    page.wait_for_function(in_step, timeout=PATIENCE)
    held: list[Any] = []

    def hold(route: Any) -> None:
        """Hold what asks for a picture, which alone brings nothing along."""
        if route.request.post_data_json["data"]:
            route.continue_()
        else:
            held.append(route)

    page.route("**/run/predict**", hold)
    before = clip_of(page)
    press(page, "Digit5")
    assert clip_of(page) != before
    while not held:
        page.wait_for_timeout(20)
    page.wait_for_selector("#label-picture.of-another", timeout=PATIENCE)
    held.pop().continue_()
    page.wait_for_function(in_step, timeout=PATIENCE)


def test_an_empty_store_says_what_to_do(browser: Any, app_server: Any, to_tab: Any) -> None:
    server = app_server
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(server.url)
    page.wait_for_selector("#clip input[type=file]", state="attached", timeout=PATIENCE)
    held: list[Any] = []
    holding = True

    def hold(route: Any) -> None:
        if holding:
            held.append(route)
        else:
            route.continue_()

    page.route("**/queue/join**", hold)
    to_tab(page, "Label")
    page.wait_for_selector("#label-card .waiting", timeout=PATIENCE)
    page.keyboard.press("6")
    page.wait_for_selector("#label-card .waiting .early", timeout=PATIENCE)
    holding = False
    for route in held:
        route.continue_()
    page.wait_for_selector("#label-card .welcome", timeout=PATIENCE)
    assert "corpora" in page.inner_text("#label-card")
    page.keyboard.press("6")
    page.wait_for_selector("#label-saved .refused", timeout=PATIENCE)
    corpus(server.home, 2)
    page.click("#label-again")
    page.wait_for_selector("#label-card .clip-card", timeout=PATIENCE)


def test_the_tab_and_blind_survive_a_reload_and_enter_a_click_on_the_tab(
    open_label: Any, server: Any, to_tab: Any
) -> None:
    page = open_label(server.url)
    to_tab(page, "Label")
    press(page, "Digit5")
    before = ticket(page)
    page.keyboard.press("Enter")
    page.wait_for_function(
        "before => document.querySelector('#label-card .clip-card').dataset.ticket !== before",
        arg=before,
    )
    assert page.url.endswith("#label")
    page.check("#label-blind input")
    page.wait_for_selector("#label-card .blind", timeout=PATIENCE)
    page.reload()
    page.wait_for_selector("#label-card .clip-card", timeout=PATIENCE)
    assert page.locator("#label-card .blind").count() == 1
    assert page.is_checked("#label-blind input")


def test_a_key_that_comes_before_the_next_clip_is_not_sent_and_the_page_says_so(
    open_label: Any, server: Any, events: Any
) -> None:
    page = open_label(server.url)
    before = ticket(page)
    page.evaluate(
        """() => ["Digit5", "Digit6", "Digit6"].forEach((code) => document.body.dispatchEvent(
            new KeyboardEvent("keydown", {code, key: code.slice(5), bubbles: true})))"""
    )
    assert "2 key presses were ignored" in page.inner_text("#label-ignored")
    page.wait_for_function(
        "before => document.querySelector('#label-card .clip-card').dataset.ticket !== before",
        arg=before,
    )
    press(page, "Digit1")
    assert page.inner_text("#label-ignored") == ""
    assert [row["emotion"] for row in events(server.home)] == ["fear", "anger"]


def test_from_a_folder_of_files_to_the_first_label_without_a_terminal(
    open_tab: Any, app_server: Any, events: Any, tmp_path: Path
) -> None:
    page = open_tab(app_server.url, "Label")
    page.wait_for_selector("#label-card .welcome", timeout=PATIENCE)
    for number, sound in enumerate(spoken(6)):
        (tmp_path / f"{'anna' if number % 2 else 'ben'}_{number}.wav").write_bytes(sound)
    (tmp_path / "diary.wav").write_text("dear diary", encoding="utf-8")
    files = [str(path) for path in sorted(tmp_path.iterdir())]
    page.set_input_files("#label-import-files input[type=file]", files)
    page.fill("#label-import-pattern :is(input, textarea)", "{speaker}_*")
    page.wait_for_selector(".pattern-examples li", timeout=PATIENCE)
    assert "anna_1.wav → anna" in page.inner_text(".pattern-examples")
    page.click("#label-import-add")
    page.wait_for_selector("#label-import-result .done", timeout=PATIENCE)
    told = page.inner_text("#label-import-result")
    assert "Added 6 clips" in told
    assert "diary.wav" in told
    page.wait_for_selector("#label-card .clip-card", timeout=PATIENCE)
    press(page, "Digit6")
    (row,) = events(app_server.home)
    assert (row["emotion"], row["corpus"]) == ("joy", "my clips")


def test_segments_are_dragged_set_by_key_moved_labelled_and_undone(
    open_label: Any, server: Any, events: Any
) -> None:
    page = open_label(server.url)
    page.wait_for_selector("#label-wave[data-ready]", timeout=PATIENCE)
    clip = clip_of(page)
    seconds = page.evaluate("document.querySelector('#label-card audio').duration")
    box = page.locator("#label-wave").bounding_box()
    inside, left, y = box["width"] - 22, box["x"] + 11, box["y"] + 40
    page.mouse.move(left + 0.25 * inside, y)
    page.mouse.down()
    page.mouse.move(left + 0.3 * inside, y, steps=4)
    page.mouse.move(left + 0.5 * inside, y, steps=8)
    page.mouse.up()
    page.wait_for_function("document.getElementById('label-segment').innerText.includes('start')")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    press(page, "Digit6")
    assert clip_of(page) == clip, "the clip stays for its next segment"
    (row,) = events(server.home)
    assert row["emotion"] == "joy"
    assert float(row["start"]) == pytest.approx(0.25 * seconds, abs=0.1)
    assert float(row["end"]) == pytest.approx(0.5 * seconds + 0.05, abs=0.1)
    page.wait_for_function(
        "document.getElementById('label-wave').dataset.ready ==="
        " document.querySelector('#label-card .clip-card').dataset.ticket"
    )
    mark_segment(page, 0.9, 1.3)
    press(page, "Digit8")
    row = events(server.home)[-1]
    assert (row["emotion"], float(row["start"]), float(row["end"])) == ("sadness", 0.9, 1.3)
    press(page, "KeyU")
    kept = json.loads(page.get_attribute("#label-card .clip-card", "data-segments"))
    assert [one[2] for one in kept] == ["joy"]
    press(page, "KeyS")
    assert events(server.home)[-1]["reason"] == "labelled in segments"


def test_undo_right_after_a_segment_was_saved_takes_back_its_label_also_on_a_slow_page(
    open_label: Any, server: Any, events: Any
) -> None:
    page = open_label(server.url)
    page.wait_for_selector("#label-wave[data-ready]", timeout=PATIENCE)
    page.evaluate(
        "() => { const real = window.setTimeout;"
        " window.setTimeout = (act, ms, ...rest) => real(act, ms === 60 ? 5000 : ms, ...rest); }"
    )
    mark_segment(page, 0.4, 0.8)
    press(page, "Digit8")
    press(page, "KeyU")
    assert [row["action"] for row in events(server.home)] == ["label", "undo"]
    assert page.get_attribute("#label-card .clip-card", "data-segments") == "[]"


def test_keys_are_changed_kept_on_the_browser_and_reset(
    open_label: Any, server: Any, events: Any
) -> None:
    page = open_label(server.url)
    page.keyboard.press("?")
    page.click("#label-help [data-remap=Digit6]")
    page.keyboard.press("s")
    assert "Skip" in page.inner_text("#label-remap-note")
    page.click("#label-help [data-remap=Digit6]")
    page.keyboard.press("j")
    page.keyboard.press("Escape")
    page.reload()
    page.wait_for_selector("#label-choose-joy[data-key=J]", timeout=PATIENCE)
    page.wait_for_selector("#label-card .clip-card", timeout=PATIENCE)
    before = ticket(page)
    page.keyboard.press("6")
    page.wait_for_timeout(300)
    assert ticket(page) == before, "the old key means nothing any more"
    press(page, "KeyJ")
    assert [row["emotion"] for row in events(server.home)] == ["joy"]
    page.keyboard.press("?")
    page.click("#label-remap-reset")
    page.keyboard.press("Escape")
    press(page, "Digit6")
    assert len(events(server.home)) == 2


def test_a_second_emotion_and_an_intensity_take_one_more_key_each(
    open_label: Any, server: Any, to_tab: Any, events: Any, screenshot: Callable[[Any, str], Path]
) -> None:
    page = open_label(server.url)
    bar = page.locator("#label-mixed")
    assert not bar.is_visible()
    page.keyboard.press("KeyG")
    page.check("#label-mixed-on input")
    bar.wait_for()
    page.keyboard.press("Shift+Digit5")
    page.keyboard.press("KeyG")
    page.keyboard.press("KeyG")
    assert "fear" in page.inner_text("#label-second")
    assert "2" in page.inner_text("#label-intensity b")
    assert "Second emotion: fear" in bar.inner_text()
    assert page.locator("#label-choices button.second").inner_text() == "fear"
    screenshot(page, "label-mixed")
    press(page, "Digit1")
    assert "Saved #1: anger with fear, intensity 2." in saved(page)
    # With the clip it is gone.
    assert page.inner_text("#label-second b") == page.inner_text("#label-intensity b") == "–"
    press(page, "KeyU")
    assert "anger with fear, intensity 2 undone" in saved(page)
    # By thumb: the button, the second emotion, the first.
    page.click("#label-second")
    page.click("#label-choose-sadness")
    before = ticket(page)
    page.click("#label-choose-joy")
    page.wait_for_function(
        "before => document.querySelector('#label-card .clip-card').dataset.ticket !== before",
        arg=before,
    )
    page.keyboard.press("Shift+Digit1")
    page.keyboard.press("Digit1")
    page.wait_for_selector("#label-saved .refused", timeout=PATIENCE)
    assert "same as the first" in saved(page)
    page.keyboard.press("Shift+Digit1")
    press(page, "Digit1")
    page.wait_for_function("window.serOffline?.held() >= 1", timeout=PATIENCE)
    page.context.set_offline(True)
    page.wait_for_function("window.serOffline?.online() === false", timeout=PATIENCE)
    page.keyboard.press("Shift+Digit6")
    page.keyboard.press("KeyG")
    press(page, "Digit2")
    page.context.set_offline(False)
    page.wait_for_function(
        "window.serOffline?.waiting() === 0 && serOffline.online()", timeout=PATIENCE
    )
    rows = [row for row in events(server.home) if row["action"] == "label"]
    assert [(row["emotion"], row["second_emotion"], row["intensity"]) for row in rows] == [
        ("anger", "fear", "2"),
        ("joy", "sadness", ""),
        ("anger", "", ""),
        ("boredom", "joy", "1"),
    ]
    page.reload()
    page.wait_for_selector("#clip input[type=file]", state="attached", timeout=PATIENCE)
    to_tab(page, "Label")
    bar.wait_for()
    page.wait_for_function("document.querySelector('#label-mixed-on input').checked")
    page.uncheck("#label-mixed-on input")
    bar.wait_for(state="hidden")


def test_a_key_shows_the_guidelines_and_hides_them(open_label: Any, server: Any) -> None:
    (server.home / "guidelines.md").write_text("## Joy\nA smile in the voice.", encoding="utf-8")
    page = open_label(server.url)
    page.keyboard.press("h")
    page.wait_for_selector("#label-guidelines-text h2", timeout=PATIENCE)
    page.click("#label-guidelines-examples .reference")
    page.wait_for_selector("#label-guidelines audio", timeout=PATIENCE)
    page.keyboard.press("h")
    page.wait_for_selector("#label-guidelines", state="hidden", timeout=PATIENCE)

/* Segments on the tabs that label: drag a stretch on the waveform or on the picture, or set its start and
   end while the sound plays; a digit then labels the stretch and the clip stays. Decoding and drawing
   are wavesurfer's. A tab's own segments.js says where its parts are; window.serSegments.add returns
   what the tab asks of them. */
window.serSegments = (() => {
  const STEP = 0.05;
  const PREVIEW = 0.3;
  const RATES = [0.5, 0.75, 1, 1.25, 1.5, 2];
  const ZOOMS = [1, 2, 4, 8, 16];
  const texts = new Set(["text", "search", "email", "number", "password", "url", "tel", "date", "time", ""]);
  const typing = (el) => el && (el.isContentEditable || el.tagName === "TEXTAREA" || el.tagName === "SELECT" ||
    (el.tagName === "INPUT" && texts.has((el.getAttribute("type") || "").toLowerCase())));
  const say = (text, values) => window.serPage.say(text, values);
  const clock = (seconds) => seconds.toFixed(2);
  const near = (one, other) => Math.abs(one[0] - other[0]) < 0.002 && Math.abs(one[1] - other[1]) < 0.002;
  const spanOf = (region) => [region.start, region.end];
  const tint = (emotion, share) => {
    const colour = getComputedStyle(document.documentElement).getPropertyValue(`--emotion-${emotion}`).trim() || "#1d7871";
    return `color-mix(in srgb, ${colour} ${share}%, transparent)`;
  };
  const overlap = (one, region) => Math.min(one[1], region.end) - Math.max(one[0], region.start) > 0;
  const press = (id) => {
    const found = document.getElementById(id);
    (found?.tagName === "BUTTON" ? found : found?.querySelector("button"))?.click();
  };
  const step = (steps, now, by) => steps[Math.min(Math.max(steps.indexOf(now) + by, 0), steps.length - 1)];
  const rate = () => window.serPage.recall("rate", 1);
  /* A letter that somebody gave to an emotion is not the segment's any more. */
  const is = (event, code) => event.code === code && window.serPage.codeOf(code) === code;
  /* Whether there are no keys at hand. */
  const touched = matchMedia("(pointer: coarse)").matches;
  /* Where the last step was a mouse click, as on the tab itself, Tab is the segments'; one that somebody
     reached with the keyboard stays the page's. */
  let byMouse = false;
  document.addEventListener("pointerdown", () => { byMouse = true; }, true);
  const free = () => byMouse || !document.activeElement || document.activeElement === document.body;

  /* A tab is {
       name: begins the ids of its wave, note, speed and zoom;
       card(): what holds data-ticket (the clip's hash, ":", its revision), data-segments and, where the
         browser need not decode the sound for the drawing, data-outline and data-seconds;
       sound(): the player; picture(): the figure of the clip; undo, remove: ids of the buttons;
       busy(): whether a decision is on its way; off(): whether keys are not the segments' now;
       early(), taken(): a key came before its clip was there, a key was the segments';
       accept(emotion): take the suggestion by Enter (where the tab does not do so itself);
       suggested(): the latest suggestions of the model; idle(): what the note says of no segment }
     and may lack what it does not need. */
  const segmentsOf = (tab) => {
    const holder = () => document.getElementById(`${tab.name}-wave`);
    const { sound, card } = tab;
    let wave = null, regions = null, media = null, place = null, clip = "", drawn = "", zoom = 1;
    let chosen = null, edge = "start", marked = null, until = null;
    /* Regions that nobody has labelled yet, or whose edges were moved since. One that replaces a labelled
       segment says which. History holds what they were before each edit. */
    let drafts = [], saved = [], history = [], last = [];

    const tell = () => {
      const note = document.getElementById(`${tab.name}-segment`);
      if (!note) return;
      holder().dataset.drafts = String(drafts.length);
      const left = drafts.length ? say("{count} not labelled yet.", { count: drafts.length }) : "";
      const parts = chosen ? [
        edge === "start"
          ? say("Segment {start}–{end} s, start edge.", { start: clock(chosen.start), end: clock(chosen.end) })
          : say("Segment {start}–{end} s, end edge.", { start: clock(chosen.start), end: clock(chosen.end) }),
        touched ? say("Choose the emotion that you hear in it.") : chosen.serSuggested
          ? say("Enter takes {emotion}; a digit labels it, Tab goes on.", { emotion: say(chosen.serSuggested) })
          : say("A digit labels it, Tab goes on."),
        left,
      ] : marked !== null ? [say("Segment from {start} s … press ] at its end.", { start: clock(marked) })] : [left];
      note.textContent = parts.filter(Boolean).join(" ") || (wave && tab.idle?.()) || "";
      for (const tool of holder().parentElement.querySelectorAll("[data-wave=remove], [data-wave=earlier], [data-wave=later]"))
        tool.disabled = !chosen;
      picture.draw();
    };
    /* Over the picture a segment is paler, as more is to be seen through it. */
    const look = (region, paler = 1) => {
      const draft = drafts.includes(region);
      const emotion = region.serEmotion || region.serSuggested || "";
      return {
        "background": tint(emotion, (region === chosen ? 55 : draft ? 14 : 30) * paler),
        "border-color": tint(emotion, 100),
        "outline": draft ? `1px dashed ${tint(emotion, 100)}` : "none",
      };
    };
    /* Gradio's own style sheet paints every region; what is written on the element goes before it. */
    const paint = (region) => {
      const style = region.element?.style;
      if (style) Object.entries(look(region)).forEach(([name, value]) => style.setProperty(name, value, "important"));
    };
    const choose = (region) => {
      const before = chosen;
      chosen = region;
      if (before) paint(before);
      if (region) paint(region);
      tell();
    };
    const play = (from, to) => {
      if (!media) return;
      media.currentTime = Math.max(0, from);
      until = to;
      media.play().catch(() => {});
    };
    const add = (start, end, emotion, more = {}) => {
      const text = emotion ? say(emotion) : more.suggested ? `${say(more.suggested)}?` : "";
      /* The plugin tells of this region as of one that was dragged; it is none. */
      const ready = wave.serReady;
      wave.serReady = false;
      const region = regions.addRegion({ start, end, color: tint(emotion, 25), content: text, minLength: 0.05 });
      wave.serReady = ready;
      Object.assign(region, { serEmotion: emotion, serSuggested: more.suggested || "", serReplaces: more.replaces || null, serSaved: emotion ? [start, end] : null });
      if (!emotion) drafts.push(region);
      paint(region);
      return region;
    };
    const all = () => [...regions.getRegions()].sort((one, other) => one.start - other.start || one.end - other.end);
    const snapshot = () => drafts.map((one) => ({
      start: one.start, end: one.end, suggested: one.serSuggested, replaces: one.serReplaces, chosen: one === chosen,
    }));
    /* Every edit ends here, so that U takes back one after the other. */
    const edited = () => { history.push(last); last = snapshot(); tell(); };
    const show = (some) => {
      wave.serReady = false;
      chosen = null;
      drafts = [];
      regions.clearRegions();
      for (const one of saved) if (!some.some((draft) => draft.replaces && near(draft.replaces, one))) add(...one);
      let pick = null;
      for (const one of some) {
        const region = add(one.start, one.end, "", one);
        if (one.chosen) pick = region;
      }
      wave.serReady = true;
      choose(pick);
      last = snapshot();
    };
    const undo = () => {
      /* What is on its way to the store is taken back there, not here. */
      if (tab.busy?.() || !history.length) return false;
      show(history.pop());
      return true;
    };
    /* A labelled segment whose edges move becomes one to label again, in its place. */
    const loosen = (region) => {
      if (!region.serEmotion) return;
      region.serSuggested = region.serEmotion;
      region.serReplaces = region.serSaved;
      region.serEmotion = "";
      region.setContent?.(`${say(region.serSuggested)}?`);
      drafts.push(region);
    };
    /* A segment that was dragged is the chosen one, with the edge that was moved, and is heard. */
    const settle = (region, side) => {
      edge = side || "start";
      choose(region);
      edited();
      play(region.start, region.end);
    };
    const change = (to) => {
      loosen(chosen);
      chosen.setOptions(to);
      paint(chosen);
      edited();
    };

    const draw = () => {
      const ticket = card()?.dataset.ticket ?? "";
      const now = JSON.parse(card()?.dataset.segments || "[]");
      const same = drawn.split(":")[0] === clip;
      const kept = same ? snapshot().filter((one) => !now.some((done) => near(done, [one.start, one.end]))) : [];
      const sent = same ? snapshot().find((one) => one.chosen && now.some((done) => near(done, [one.start, one.end]))) : null;
      /* A label that was taken back leaves its segment, to be corrected, unless one came back in its place. */
      const back = same ? now.filter((one) => !saved.some((before) => near(one, before)) && !snapshot().some((draft) => near(one, [draft.start, draft.end]))) : [];
      const gone = same && removed === "" && !back.length ? saved.filter((one) => !now.some((done) => near(done, one)) && !(sent?.replaces && near(sent.replaces, one))) : [];
      removed = "";
      kept.forEach((one) => { one.chosen = one.chosen && !sent; });
      for (const one of gone) kept.push({ start: one[0], end: one[1], suggested: one[2], replaces: null, chosen: true });
      const next = sent && (kept.find((one) => one.start > sent.start) ?? kept[0]);
      if (next) next.chosen = true;
      saved = now;
      history = [];
      show(kept);
      if (next && chosen) play(chosen.start, chosen.end);
      drawn = where().dataset.ready = ticket;
      picture.draw();
    };
    let removed = "";
    const where = holder;

    const factor = (what, value) => { const place = document.getElementById(`${tab.name}-${what}`); if (place) place.textContent = `${value}×`; };
    const speed = (by) => {
      const to = by === 0 ? rate() : window.serPage.remember("rate", step(RATES, rate(), by));
      if (media) { media.defaultPlaybackRate = to; media.playbackRate = to; }
      factor("rate", to);
    };
    const magnify = (by) => {
      zoom = by === 0 ? 1 : step(ZOOMS, zoom, by);
      const length = wave?.getDuration();
      if (length) wave.zoom(zoom === 1 ? 0 : (zoom * where().clientWidth) / length);
      if (chosen && zoom > 1) wave.setScrollTime(Math.max(0, chosen.start - 0.5));
      factor("zoom", zoom);
    };

    /* Where the page was given the outline, the browser neither fetches nor decodes the sound again. */
    const outline = () => {
      const { outline: text, seconds } = card().dataset;
      return text ? { peaks: [Array.from(atob(text), (one) => one.charCodeAt(0) / 255)], duration: Number(seconds) } : {};
    };
    const build = () => {
      const audio = card() ? sound() : null, now = holder();
      if (!now || !now.parentElement.offsetParent || typeof WaveSurfer === "undefined") return;
      const ticket = card()?.dataset.ticket ?? "";
      /* The page may keep the player and change what it plays, or keep the clip after a segment. */
      if (audio === media && now === place && ticket.split(":")[0] === clip) {
        if (wave?.serReady && ticket !== drawn) draw();
        return;
      }
      if (wave) wave.destroy();
      wave = regions = chosen = marked = until = null;
      drafts = []; saved = []; history = []; last = [];
      drawn = "";
      place = now;
      media = audio;
      clip = ticket.split(":")[0];
      place.hidden = !audio;
      place.parentElement.querySelector(".wave-tools").hidden = !audio;
      tell();
      if (!audio) return;
      const ink = getComputedStyle(place), known = outline();
      wave = WaveSurfer.create({
        container: place, media: audio, height: 72, normalize: true, barWidth: 2, barGap: 1, barRadius: 1,
        waveColor: ink.getPropertyValue("--quiet").trim(), progressColor: ink.getPropertyValue("--color-accent").trim(),
        cursorColor: ink.getPropertyValue("--ink").trim(), ...known,
      });
      regions = wave.registerPlugin(WaveSurfer.Regions.create());
      regions.enableDragSelection({ color: tint("", 25) });
      regions.on("region-created", (region) => {
        if (!wave.serReady || region.serEmotion !== undefined) return;
        Object.assign(region, { serEmotion: "", serSuggested: "", serReplaces: null });
        drafts.push(region);
        settle(region, "start");
      });
      regions.on("region-update", () => picture.draw());
      regions.on("region-updated", (region, side) => {
        if (!wave.serReady) return;
        loosen(region);
        settle(region, side);
      });
      regions.on("region-clicked", (region, event) => {
        event.stopPropagation();
        choose(region);
        play(region.start, region.end);
      });
      wave.on("ready", () => { magnify(0); draw(); });
      wave.on("timeupdate", (now) => {
        if (until === null || now < until) return;
        until = null;
        audio.pause();
      });
      speed(0);
    };
    const picture = window.serSegmentsPicture({
      figure: () => tab.picture?.() ?? null,
      seconds: () => (wave?.serReady && drawn === card()?.dataset.ticket ? wave.getDuration() : 0),
      regions: all,
      look: (region) => Object.entries(look(region, 0.5)).map(([name, value]) => `${name}:${value}`).join(";"),
      create: (start, end) => settle(add(start, end, ""), "start"),
      move(region, [start, end], side) {
        loosen(region);
        region.setOptions({ start, end });
        settle(region, side);
      },
      choose(region) {
        choose(region);
        play(region.start, region.end);
      },
    });
    const mark = (end) => {
      if (!wave || !media) return;
      const now = media.currentTime;
      if (!end) {
        edge = "start";
        if (chosen && now > chosen.start && now < chosen.end && media.paused) change({ start: now });
        else { choose(null); marked = now; until = null; }
      } else {
        edge = "end";
        if (marked !== null && now > marked) { const from = marked; marked = null; choose(add(from, now, "")); edited(); }
        else if (chosen && now > chosen.start) change({ end: now });
      }
      tell();
    };
    const nudge = (by) => {
      const length = wave.getDuration();
      const at = Math.min(Math.max(chosen[edge] + by, 0), length);
      if (edge === "start" ? at >= chosen.end - STEP / 2 : at <= chosen.start + STEP / 2) return;
      change({ [edge]: at });
      play(edge === "start" ? at : at - PREVIEW, edge === "start" ? at + PREVIEW : at);
    };
    /* Tab goes from one segment to the next; after the last it is the page's again. */
    const onward = (back) => {
      const some = all();
      const at = some.indexOf(chosen);
      const to = chosen ? at + (back ? -1 : 1) : back ? some.length - 1 : 0;
      choose(some[to] ?? null);
      if (!chosen) return false;
      edge = "start";
      if (zoom > 1) wave.setScrollTime(Math.max(0, chosen.start - 0.5));
      play(chosen.start, chosen.end);
      return true;
    };
    const drop = () => {
      if (chosen.serEmotion) { removed = clip; press(tab.remove); return; }
      const gone = chosen, replaced = gone.serReplaces;
      drafts = drafts.filter((one) => one !== gone);
      choose(null);
      gone.remove();
      edited();
      if (replaced) show(last);
    };

    document.addEventListener("keydown", (event) => {
      const place = holder();
      if (!place || !place.offsetParent || place.closest("[inert]") || !wave || typing(document.activeElement)) return;
      if (tab.off?.() || event.metaKey) return;
      /* A key may come before the segments follow the card: what U takes back was saved by now. */
      build();
      if (!wave) return;
      const plain = !event.ctrlKey && !event.altKey;
      const undoes = (event.ctrlKey && !event.altKey && event.code === "KeyZ") || (plain && window.serPage.codeOf(event.code) === "KeyU");
      /* AltGr makes [ and ] on many keyboards, and reads as Ctrl and Alt. */
      const starts = event.key === "[" || (plain && is(event, "KeyI"));
      const ends = event.key === "]" || (plain && is(event, "KeyO"));
      if ((starts || ends) && !wave.serReady) tab.early?.();
      else if (starts || ends) mark(ends);
      else if (undoes) { if (!undo()) { if (!event.ctrlKey) return; press(tab.undo); } }
      else if (!plain) return;
      else if (event.key === "<" || event.key === ",") speed(-1);
      else if (event.key === ">" || event.key === ".") speed(1);
      else if (event.key === "+" || event.key === "=") magnify(1);
      else if (event.key === "-" || event.key === "–") magnify(-1);
      else if (event.key === "Tab" && (chosen || (free() && all().length))) { if (!onward(event.shiftKey)) { byMouse = false; return; } }
      else if (!chosen || document.activeElement?.matches("[role=slider], input")) return;
      else if (event.key === "Enter" && tab.accept && suggestion() && free()) tab.accept(suggestion());
      else if (event.key === "ArrowLeft") nudge(-STEP);
      else if (event.key === "ArrowRight") nudge(STEP);
      else if (event.key === "ArrowUp") { edge = "start"; tell(); }
      else if (event.key === "ArrowDown") { edge = "end"; tell(); }
      else if (event.key === "Escape") choose(null);
      else if (event.key === "Delete" || event.key === "Backspace") drop();
      else return;
      tab.taken?.();
      event.preventDefault();
      event.stopImmediatePropagation();
    }, true);
    document.addEventListener("click", (event) => {
      const button = event.target.closest?.(`[data-wave], #${tab.undo}`);
      if (!button || (button.dataset.wave && !holder()?.parentElement.contains(button))) return;
      build();
      if (!wave) return;
      if (button.id === tab.undo) { if (undo()) { event.preventDefault(); event.stopImmediatePropagation(); } return; }
      ({
        slower: () => speed(-1), faster: () => speed(1), in: () => magnify(1), out: () => magnify(-1),
        start: () => mark(false), end: () => mark(true), remove: () => { if (chosen) drop(); },
        earlier: () => { if (chosen) nudge(-STEP); }, later: () => { if (chosen) nudge(STEP); },
      })[button.dataset.wave]();
    }, true);

    /* What the model suggests comes once for each press of its key. */
    let taken = null;
    const suggest = () => {
      const found = tab.suggested?.();
      if (!found || found === taken || !wave?.serReady) return;
      taken = found;
      if (found.dataset.for !== card()?.dataset.ticket) return;
      const before = snapshot();
      const fresh = JSON.parse(found.dataset.regions).filter((one) => !before.some((draft) => overlap(one, draft)));
      if (!fresh.length) return;
      show([...before.map((one) => ({ ...one, chosen: false })),
        ...fresh.map(([start, end, suggested], place) => ({ start, end, suggested, replaces: null, chosen: place === 0 }))]);
      history.push(before);
      if (chosen) play(chosen.start, chosen.end);
    };

    /* The emotion that Enter takes for the chosen segment; "" where Enter is the clip's. */
    const suggestion = () => (chosen && (chosen.serSuggested || chosen.serEmotion)) || "";
    let due = false;
    const start = () => {
      new MutationObserver(() => {
        if (due) return;
        due = true;
        setTimeout(() => { due = false; build(); suggest(); picture.follow(); }, 60);
      }).observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ["class", "style", "data-ticket"] });
    };
    document.body ? start() : document.addEventListener("DOMContentLoaded", start);
    return {
      /* Start and end of the chosen segment, and of the one it replaces, as the ticket carries them. */
      chosen() {
        if (!chosen) return "";
        const span = chosen.serEmotion ? chosen.serSaved : spanOf(chosen).map((at) => at.toFixed(3));
        return ["", ...span, ...(chosen.serReplaces ?? [])].join("|");
      },
      suggestion,
      /* Take back the latest edit of what nobody has labelled; return whether there was one. */
      undo,
      /* Hash of the clip on which the segments lie. */
      clip: () => clip,
      follow: build,
    };
  };
  return { add: segmentsOf };
})();

/* Keys, playhead and seeking. Buttons are found by class, so that any tab can have keys:
   a visible button of class key-Digit3 is pressed by 3 (also on the number pad), key-KeyU by u. */
(() => {
  const texts = new Set(["text", "search", "email", "number", "password", "url", "tel", "date", "time", ""]);
  const typing = (el) =>
    el && (el.isContentEditable || el.tagName === "TEXTAREA" || el.tagName === "SELECT" ||
      (el.tagName === "INPUT" && texts.has((el.getAttribute("type") || "").toLowerCase())));
  const seen = (el) => el.offsetParent !== null && !el.disabled && !el.closest("[inert]");

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || typing(document.activeElement)) return;
    const code = window.serPage.codeOf(event.code);
    if (!code) return;
    const button = [...document.querySelectorAll(`button.key-${CSS.escape(code)}, .key-${CSS.escape(code)} button`)].find(seen);
    if (!button) return;
    event.preventDefault();
    button.click();
  });

  /* the sign of a key stands on its button */
  const label = (button) => {
    const found = [...button.classList].find((name) => name.startsWith("key-"));
    if (!found) return;
    /* A name that is long in the reader's language has to fit on a phone. */
    if (!button.style.getPropertyValue("--letters")) button.style.setProperty("--letters", button.textContent.trim().length);
    const sign = window.serPage.signOf(found.slice(4));
    if (button.dataset.key === sign) return;
    button.dataset.key = sign;
    button.setAttribute("aria-keyshortcuts", sign);
  };

  /* A recorder that gets no microphone says nothing by itself. */
  const media = navigator.mediaDevices;
  const reasons = {
    NotAllowedError: "The browser was not allowed to use the microphone. Allow it for this page (the sign beside the address), or upload a file.",
    NotFoundError: "No microphone was found. Connect one, or upload a file.",
    NotReadableError: "The microphone is in use elsewhere. Close the other program, or upload a file.",
  };
  const tell = (text) => {
    document.querySelectorAll(".mic-message").forEach((note) => {
      note.textContent = text;
      note.hidden = !text;
    });
  };
  if (media && media.getUserMedia) {
    const ask = media.getUserMedia.bind(media);
    media.getUserMedia = async (constraints) => {
      try {
        const stream = await ask(constraints);
        tell("");
        return stream;
      } catch (error) {
        tell(reasons[error.name] ? say(reasons[error.name]) : say("The microphone can't be used ({name}). Upload a file.", { name: error.name }));
        throw error;
      }
    };
  }

  /* A sentence in the language of this browser, as Gradio chooses it: the first that it asks for. */
  const texts_of = (window.serTexts || {})[(navigator.language || "en").split("-")[0]] || {};
  const say = (text, values = {}) => {
    const found = texts_of[text] || text;
    return found.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));
  };

  /* A player that can't play says so, and no emotion is taken for what nobody could hear. */
  const unplayable = (code) => ({
    2: say("The clip can't be played: its sound did not arrive."),
    3: say("The clip can't be played: its sound is damaged."),
    4: say("The clip can't be played: this browser has no decoder for it."),
  })[code] || say("The clip can't be played.");
  document.addEventListener("error", (event) => {
    const sound = event.target;
    if (!(sound instanceof HTMLMediaElement) || !sound.getAttribute("src")) return;
    if (!window.serPlayback.mends(sound, () => tellUnplayable(sound))) tellUnplayable(sound);
  }, true);
  const tellUnplayable = (sound) => {
    sound.classList.add("unplayable");
    if (sound.nextElementSibling?.matches(".player-error")) return;
    const note = document.createElement("p");
    note.className = "notice player-error";
    note.setAttribute("role", "alert");
    note.textContent = unplayable(sound.error?.code);
    sound.after(note);
  };
  document.addEventListener("loadstart", (event) => {
    const sound = event.target;
    if (!sound.classList?.contains("unplayable")) return;
    sound.classList.remove("unplayable");  /* the same player, with another clip */
    if (sound.nextElementSibling?.matches(".player-error")) sound.nextElementSibling.remove();
  }, true);
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.(".choices button, #label-confirm");
    const place = button?.closest("#label-panel, #corpus-adjudication") || (button?.closest("#put-right") && document.getElementById("clip"));
    const note = place?.querySelector("audio.unplayable + .player-error");
    if (!note) return;
    if (!note.dataset.told) note.textContent += ` ${say("So no label is taken for it.")}`;
    note.dataset.told = "1";
    event.preventDefault();
    event.stopImmediatePropagation();
  }, true);

  /* While another clip is on its way, the answer to the one before says nothing any more, and its
     buttons correct nothing; both come back with the next answer, or when the upload failed. */
  const waiting = (on) => {
    document.body.classList.toggle("listening", on);
    for (const id of ["put-right", "answer"]) {
      const part = document.getElementById(id);
      if (part) part.inert = on;
    }
  };
  let answered = null;
  const settle = () => {
    const now = document.querySelector("#answer section.answer");
    if (now !== answered && now && !now.dataset.shared && location.hash.startsWith("#result=")) history.replaceState(null, "", "#recognise");
    if (now !== answered || document.querySelector(".toast-body.error")) waiting(false);
    answered = now;
  };
  document.addEventListener("change", (event) => {
    if (event.target.closest("#clip input[type=file]")) waiting(true);
  }, true);
  document.addEventListener("drop", (event) => {
    if (event.target.closest("#clip")) waiting(true);
  }, true);
  document.addEventListener("click", (event) => {
    if (event.target.closest("#recognise-left .examples button, #clip .stop-button, #several button[data-open]")) waiting(true);
  }, true);

  /* The open tab stands in the address, so that a reload or a link comes back to it. */
  window.serPage = {
    say,
    start: location.hash.slice(1),
    opened(name) {
      if (name === "recognise" && location.hash.startsWith("#result=")) return;
      const inner = document.querySelector(`#tabs-${name} > .tab-wrapper [role=tab][aria-selected=true]`);
      const place = inner ? inner.dataset.tabId : name;
      if (window.serPage.ready || place !== "recognise") history.replaceState(null, "", `#${place}`);
    },
    /* Tab -> the tab that it stands inside; the page says so when it opens. */
    groups: {},
    /* Go to a tab by the name that it has in the address. */
    async visit(name) {
      const group = document.getElementById(`tab-${window.serPage.groups[name]}-button`);
      if (group && group.getAttribute("aria-selected") !== "true") group.click();
      for (let tries = 0; tries < 60; tries++) {
        const tab = document.getElementById(`tab-${name}-button`);
        if (tab) { tab.click(); return; }
        await new Promise((done) => setTimeout(done, 50));
      }
    },
    /* Keys that somebody changed on this browser: the key that a button came with -> its own. */
    keys() {
      return window.serPage.recall("keys", {});
    },
    /* Return which key a pressed one stands for, "" for one that was given another meaning. */
    codeOf(pressed) {
      const code = pressed.replace(/^Numpad(\d)$/, "Digit$1");
      const keys = window.serPage.keys();
      const found = Object.entries(keys).find(([, own]) => own === code);
      return found ? found[0] : code in keys ? "" : code;
    },
    signOf(code) {
      return (window.serPage.keys()[code] ?? code).replace(/^(Digit|Key)/, "");
    },
    /* No inputs for a listener, given once the browser has painted what there is; a page that is out
       of sight paints nothing. */
    oncePainted: () => new Promise((done) => {
      requestAnimationFrame(() => setTimeout(() => done([]), 0));
      setTimeout(() => done([]), 300);
    }),
    /* What somebody chose on this browser; a browser that keeps nothing forgets it. */
    remember(key, value) {
      try { localStorage.setItem(`ser-${key}`, JSON.stringify(value)); } catch { /* a private window */ }
      return value;
    },
    recall(key, otherwise) {
      try { return JSON.parse(localStorage.getItem(`ser-${key}`)) ?? otherwise; } catch { return otherwise; }
    },
  };

  /* A link to #label opens that tab on this very page. */
  window.addEventListener("hashchange", () => window.serPage.visit(location.hash.slice(1)));

  /* A button of class seek moves the sound that the nearest figure follows. */
  document.addEventListener("click", (event) => {
    const button = event.target.closest && event.target.closest("button.seek[data-seek]");
    if (!button) return;
    const figure = [...document.querySelectorAll(".picture")].find((one) => seen(one) && soundOf(one));
    const sound = figure && soundOf(figure);
    if (sound && Number.isFinite(sound.duration)) sound.currentTime = Math.min(Number(button.dataset.seek), sound.duration);
  });

  /* A figure of class picture-of-<name> follows the sound in #sound-<name>. */
  const soundOf = (figure) => {
    const found = [...figure.classList].find((name) => name.startsWith("follows-"));
    const holder = found && document.getElementById(found.slice(8));
    return holder && holder.querySelector("audio");
  };
  const axisOf = (plot) => plot._fullLayout && plot._fullLayout.xaxis;
  const extent = (plot) => {
    const size = plot._fullLayout._size;
    return { top: size.t, height: size.h };
  };
  const place = (plot, line, seconds) => {
    const axis = axisOf(plot);
    if (!axis || !axis._length) return;
    const x = axis._offset + axis.d2p(seconds);
    const { top, height } = extent(plot);
    line.style.cssText = `left:${x}px;top:${top}px;height:${height}px`;
  };
  const seek = (figure, plot, seconds) => {
    const sound = soundOf(figure);
    const axis = axisOf(plot);
    const end = axis.range[1];
    const at = Math.min(Math.max(seconds, 0), end);
    if (sound && Number.isFinite(sound.duration)) sound.currentTime = Math.min(at, sound.duration);
    return at;
  };
  const attach = (figure) => {
    const plot = figure.querySelector(".js-plotly-plot");
    if (!plot || !axisOf(plot)) return;
    if (plot.serFollow) { plot.serFollow(); return; }
    const line = document.createElement("div");
    line.className = "playhead";
    plot.append(line);
    line.tabIndex = 0;
    line.setAttribute("role", "slider");
    line.setAttribute("aria-label", say("Position in the clip; arrow keys move it, space plays"));
    line.setAttribute("aria-valuemin", "0");
    const tell = (seconds) => {
      const axis = axisOf(plot);
      line.setAttribute("aria-valuemax", axis.range[1].toFixed(2));
      line.setAttribute("aria-valuenow", seconds.toFixed(2));
      line.setAttribute("aria-valuetext", say("{seconds} seconds", { seconds: seconds.toFixed(1) }));
    };
    plot.addEventListener("click", (event) => {
      const axis = axisOf(plot);
      const x = event.clientX - plot.getBoundingClientRect().left - axis._offset;
      if (x < 0 || x > axis._length) return;
      place(plot, line, seek(figure, plot, axis.p2d(x)));
      line.focus({ preventScroll: true });
    }, true);
    plot.addEventListener("keydown", (event) => {
      const sound = soundOf(figure);
      if (!sound) return;
      const step = { ArrowLeft: -0.5, ArrowRight: 0.5, PageUp: -5, PageDown: 5 }[event.key];
      if (event.key === " ") sound.paused ? sound.play() : sound.pause();
      else if (event.key === "Home") seek(figure, plot, 0);
      else if (event.key === "End") seek(figure, plot, Infinity);
      else if (step) seek(figure, plot, sound.currentTime + step);
      else return;
      event.preventDefault();
    });
    /* Frame by frame only while the sound plays; a page that is only looked at stays at rest. */
    let looping = false;
    const follow = () => {
      looping = false;
      if (!plot.isConnected || !axisOf(plot)) return;
      const sound = soundOf(figure);
      const now = sound ? sound.currentTime : 0;
      if (!line.isConnected) plot.append(line);
      place(plot, line, now);
      tell(now);
      if (!sound || sound.paused || sound.ended) return;
      looping = true;
      requestAnimationFrame(follow);
    };
    plot.serFollow = () => { if (!looping) follow(); };
    new ResizeObserver(plot.serFollow).observe(plot);
    follow();
  };
  const followAll = () => document.querySelectorAll(".picture .js-plotly-plot").forEach((plot) => plot.serFollow && plot.serFollow());
  for (const name of ["play", "seeking", "seeked", "timeupdate", "loadedmetadata", "emptied"])
    document.addEventListener(name, followAll, true);

  /* What a figure shows is said beside it, or is its own title; its buttons save it. */
  const describe = (figure) => {
    window.serPictures.equip(figure);
    const plot = figure.querySelector(".js-plotly-plot");
    const words = document.querySelector(`[data-describes="${figure.id}"]`);
    const title = plot.querySelector(".gtitle, .annotation-text");
    const text = (words || title || figure).textContent.trim();
    if (plot.getAttribute("aria-label") === text) return;
    plot.setAttribute("role", "group");
    plot.setAttribute("aria-label", text);
  };

  /* What Gradio leaves to mend for those who do not see or point: a button's name is what stands
     on it, what goes on to the side is reached by key, an empty place has no name. */
  const mend = () => {
    document.querySelectorAll("button.upload-container[aria-label]").forEach((one) => one.removeAttribute("aria-label"));
    document.querySelectorAll(".scroll, .corpus-scroll, #model-card table, .tab-like-container").forEach((one) => {
      if (one.scrollWidth > one.clientWidth) one.tabIndex = 0;
      else one.removeAttribute("tabindex");
    });
    document.querySelectorAll("div[aria-label]:not([role]), span[aria-label]:not([role])").forEach((one) => one.setAttribute("role", "group"));
  };

  let due = false;
  const refresh = () => {
    due = false;
    mend();
    settle();
    document.querySelectorAll("button[class*='key-']").forEach(label);
    document.querySelectorAll('.picture[class*="follows-"]').forEach(attach);
    document.querySelectorAll(".picture:has(.js-plotly-plot)").forEach(describe);
  };
  const start = () => {
    new MutationObserver(() => {
      if (due) return;
      due = true;
      setTimeout(refresh, 120);
    }).observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ["class"] });
    refresh();
  };
  document.body ? start() : document.addEventListener("DOMContentLoaded", start);
})();

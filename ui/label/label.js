/* The Label tab: Enter, space and ?; each clip plays by itself once; marks what the model says.
   Digits and letters are pressed by page.js through the buttons' classes. */
(() => {
  const texts = new Set(["text", "search", "email", "number", "password", "url", "tel", "date", "time", ""]);
  const typing = (el) =>
    el && (el.isContentEditable || el.tagName === "TEXTAREA" || el.tagName === "SELECT" ||
      (el.tagName === "INPUT" && texts.has((el.getAttribute("type") || "").toLowerCase())));
  const say = (text, values) => window.serPage.say(text, values);
  const seen = (el) => el && el.offsetParent !== null;
  const card = () => document.querySelector("#label-card .clip-card");
  const sound = () => document.querySelector("#label-card .clip-card audio");
  const press = (id) => {
    const holder = document.getElementById(id);
    const button = holder && (holder.tagName === "BUTTON" ? holder : holder.querySelector("button"));
    if (button && !button.disabled) button.click();
  };
  const help = () => {
    const dialog = document.getElementById("label-help");
    if (!dialog) return;
    changing = null;
    signs();
    dialog.open ? dialog.close() : dialog.showModal();
  };
  /* A button that somebody reached with the keyboard keeps its own Enter and space; a focused
     checkbox or radio keeps its space alone. Where the last step there was a mouse click, as on
     the tab itself, the keys are the clip's (:focus-visible forgets that at the next key). */
  let byKeyboard = false;
  document.addEventListener("pointerdown", () => { byKeyboard = false; }, true);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Tab" || event.key.startsWith("Arrow")) byKeyboard = true;
  }, true);
  const own = (el, code) => el && el !== document.body && (
    (byKeyboard && el.matches(":focus") && el.matches("button, a, summary, audio, [role=slider], [role=tab], [role=option]")) ||
    (code === "Space" && el.matches("input")));

  /* Keys of the tab's buttons. One that comes before its button does (a slow machine puts the card
     there first) waits for it, and is pressed for the clip that was on the page or not at all. */
  const keyed = /^(Digit[1-9]|Key[SCURM]|Enter)$/;
  const early = [];
  const plain = (code) => (code === "NumpadEnter" ? "Enter" : window.serPage.codeOf(code));
  const target = (code) => {
    const found = code === "Enter"
      ? document.querySelectorAll("button#label-confirm, #label-confirm button")
      : document.querySelectorAll(`#label-panel button.key-${code}, #label-panel .key-${code} button`);
    return [...found].find((button) => seen(button) && !button.disabled);
  };
  const state = () => {
    const now = document.querySelector("#label-card :is(.clip-card, .welcome)");
    return now ? now.dataset.ticket || "none" : "";
  };
  /* One decision a clip: what is pressed while the last one is on its way to the store is not for
     a clip that nobody has heard yet, so it is not sent, and the page says so. */
  let sent = "", answerBefore = "", ignored = 0;
  const decides = (button) => button && button.closest("#label-choices, #label-confirm, #label-skip, #label-unclear");
  const busy = () => {
    const answer = document.getElementById("label-saved");
    if (sent && (state() !== sent || (answer && answer.innerHTML !== answerBefore))) sent = "";
    return sent !== "";
  };
  const ignore = () => {
    ignored += 1;
    const note = document.getElementById("label-ignored");
    if (note) note.textContent = ignored === 1
      ? say("1 key press was ignored, because the next clip was not there yet.")
      : say("{count} key presses were ignored, because the next clip was not there yet.", { count: ignored });
  };
  const notYet = () => {
    const word = document.querySelector("#label-card .waiting .early");
    if (word) word.hidden = false;
  };
  const catchUp = () => {
    while (early.length && (state() !== early[0].state || target(early[0].code))) {
      const { code, state: then } = early.shift();
      if (then === state()) target(code).click();
    }
  };

  window.serLabel = {
    busy,
    ignore,
    /* Say of a press that the clip it is for is not there yet, and return whether that is so. */
    tooEarly() {
      if (busy()) ignore();
      else if (card()) return false;
      else notYet();
      return true;
    },
    /* A key that a segment took was not a step of the page's focus. */
    taken() { byKeyboard = false; },
    ticket() {
      const now = card();
      if (!now) return "";
      const since = Number(now.dataset.since || 0);
      return `${now.dataset.ticket}|${since ? Math.round(performance.now() - since) : ""}${window.serSegments.label.chosen()}`;
    },
  };

  /* Keys are changed in their list: a click on one, then the key that it shall have. */
  let changing = null;
  const remapped = () => document.querySelectorAll("#label-help [data-remap]");
  const signs = (note = "") => {
    remapped().forEach((one) => { one.querySelector("kbd").textContent = one === changing ? "…" : window.serPage.signOf(one.dataset.remap); });
    const told = document.getElementById("label-remap-note");
    if (told) told.textContent = note;
  };
  const change = (code) => {
    const wanted = changing.dataset.remap;
    const keys = window.serPage.keys();
    const other = [...remapped()].find((one) => one !== changing && (keys[one.dataset.remap] ?? one.dataset.remap) === code);
    const fits = /^(Digit[0-9]|Key[A-Z])$/.test(code);
    changing = null;
    if (!fits) return signs(say("Only letters and digits can be chosen."));
    if (other) return signs(say("That key belongs to “{name}”. Change that one first.", { name: say(other.dataset.name) }));
    if (code === wanted) delete keys[wanted];
    else keys[wanted] = code;
    window.serPage.remember("keys", keys);
    signs(say("Saved on this browser."));
  };
  document.addEventListener("keydown", (event) => {
    if (!changing) return;
    if (event.key === "Escape") { changing = null; signs(); }
    else change(event.code.replace(/^Numpad(\d)$/, "Digit$1"));
    event.preventDefault();
    event.stopImmediatePropagation();
  }, true);
  document.addEventListener("click", (event) => {
    const one = event.target.closest?.("#label-help [data-remap], #label-remap-reset");
    if (!one) return;
    if (one.id === "label-remap-reset") { window.serPage.remember("keys", {}); changing = null; signs(say("All keys are as they came.")); }
    else { changing = one; signs(say("Press the new key, or Esc.")); }
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (!seen(document.getElementById("label-panel")) || typing(document.activeElement)) return;
    const dialog = document.getElementById("label-help");
    const code = plain(event.code);
    if (event.key === "?") help();
    else if (dialog && dialog.open) { event.stopImmediatePropagation(); return; }
    else if ((code === "Enter" || code === "Space") && own(document.activeElement, code)) return;
    else if (/^(Digit[1-9]|Key[SC]|Enter)$/.test(code) && busy()) ignore();
    else if (keyed.test(code) && !state()) notYet();
    else if (keyed.test(code) && !target(code)) early.push({ code, state: state() });
    else if (code === "Enter") {
      const suggested = window.serSegments.label.suggestion();
      press(suggested ? `label-choose-${suggested}` : "label-confirm");
    }
    else if (event.code === "Space" && sound()) sound().paused ? sound().play() : sound().pause();
    else return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }, true);

  document.addEventListener("click", (event) => {
    const button = event.target.closest("#label-panel button");
    if (!decides(button)) return;
    if (busy()) {
      ignore();
      event.preventDefault();
      event.stopImmediatePropagation();
      return;
    }
    ignored = 0;
    const note = document.getElementById("label-ignored");
    if (note) note.textContent = "";
    sent = state();
    answerBefore = document.getElementById("label-saved")?.innerHTML ?? "";
    card()?.classList.add("pending");
  }, true);

  document.addEventListener("click", (event) => {
    const panel = document.getElementById("label-panel");
    if (!panel || !panel.contains(event.target)) return;
    const button = event.target.closest("button");
    if (!button) return;
    /* A mouse click leaves no focus behind, so that the next Enter is the clip's again. */
    if (event.detail > 0) button.blur();
    if (button.id === "label-keys") help();
    if (button.id === "label-replay" && sound()) {
      sound().currentTime = 0;
      sound().play();
    }
  });

  /* On a touch screen a swipe to the left over the card skips the clip. */
  let touch = null;
  document.addEventListener("touchstart", (event) => {
    const one = event.touches.length === 1 && event.target.closest("#label-card") && !event.target.closest("audio, button");
    touch = one ? { x: event.touches[0].clientX, y: event.touches[0].clientY } : null;
  }, { passive: true });
  document.addEventListener("touchend", (event) => {
    if (!touch) return;
    const { clientX, clientY } = event.changedTouches[0];
    if (touch.x - clientX > 90 && Math.abs(touch.y - clientY) < 50) press("label-skip");
    touch = null;
  }, { passive: true });

  /* The picture comes after the card: until it does, the one that is there is of another clip. */
  const picture = () => {
    const holder = document.getElementById("label-picture"), now = card();
    if (!holder || !now || document.querySelector("#label-card > .offline-card")) return;
    const meta = holder.querySelector(".js-plotly-plot")?.layout?.meta;
    holder.classList.toggle("of-another", Boolean(meta) && meta.clip !== now.dataset.ticket.split(":")[0]);
  };
  const arrived = () => {
    picture();
    if (!busy()) document.querySelectorAll("#label-card .pending").forEach((one) => one.classList.remove("pending"));
    catchUp();
    const now = card();
    if (now && !now.dataset.since && seen(now)) {
      now.dataset.since = String(performance.now());
      const audio = sound();
      /* A segment's label leaves the clip where it is, which then need not play again. */
      const clip = now.dataset.ticket.split(":")[0];
      const fresh = window.serLabel.last !== clip;
      window.serLabel.last = clip;
      if (audio && fresh) audio.play().catch(() => now.classList.add("silent"));
      document.querySelectorAll("#label-choices button").forEach((button) =>
        button.classList.toggle("predicted", button.id === `label-choose-${now.dataset.predicted}`));
    }
    document.querySelectorAll("audio[data-play=now]").forEach((audio) => {
      delete audio.dataset.play;
      audio.play().catch(() => {});
    });
  };
  /* Of the clip and the one that was just answered only one is heard at a time. */
  document.addEventListener("play", (event) => {
    if (!event.target.closest("#label-card")) return;
    document.querySelectorAll("#label-card audio").forEach((one) => { if (one !== event.target) one.pause(); });
  }, true);
  const start = () => {
    new MutationObserver(arrived).observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ["class", "style", "disabled", "data-ticket"] });
    arrived();
  };
  document.body ? start() : document.addEventListener("DOMContentLoaded", start);
})();

/* The Label tab: Enter, space and ?; each clip plays by itself once; marks what the model says.
   Digits and letters are pressed by page.js through the buttons' classes. */
(() => {
  const texts = new Set(["text", "search", "email", "number", "password", "url", "tel", "date", "time", ""]);
  const typing = (el) =>
    el && (el.isContentEditable || el.tagName === "TEXTAREA" || el.tagName === "SELECT" ||
      (el.tagName === "INPUT" && texts.has((el.getAttribute("type") || "").toLowerCase())));
  const seen = (el) => el && el.offsetParent !== null;
  const card = () => document.querySelector("#label-card .clip-card");
  const sound = () => document.querySelector("#label-card audio");
  const press = (id) => {
    const holder = document.getElementById(id);
    const button = holder && (holder.tagName === "BUTTON" ? holder : holder.querySelector("button"));
    if (button && !button.disabled) button.click();
  };
  const help = () => {
    const dialog = document.getElementById("label-help");
    if (dialog) dialog.open ? dialog.close() : dialog.showModal();
  };
  /* A button that somebody reached with the keyboard keeps its own Enter and space; a focused
     checkbox or radio keeps its space alone. */
  const own = (el, code) => el && el !== document.body && (
    (el.matches(":focus-visible") && el.matches("button, a, summary, audio, [role=slider], [role=tab], [role=option]")) ||
    (code === "Space" && el.matches("input")));

  /* Keys of the tab's buttons. One that comes before its button does (a slow machine puts the card
     there first) waits for it, and is pressed for the clip that was on the page or not at all. */
  const keyed = /^(Digit[1-9]|Key[SUR]|Enter)$/;
  const early = [];
  const plain = (code) => code.replace(/^Numpad(\d|Enter)$/, (_, sign) => (sign === "Enter" ? sign : `Digit${sign}`));
  const target = (code) => {
    const found = code === "Enter"
      ? document.querySelectorAll("button#label-confirm, #label-confirm button")
      : document.querySelectorAll(`#label-desk button.key-${code}, #label-desk .key-${code} button`);
    return [...found].find((button) => seen(button) && !button.disabled);
  };
  const state = () => {
    const now = document.querySelector("#label-card :is(.clip-card, .welcome)");
    return now ? now.dataset.ticket || "none" : "";
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
    ticket() {
      const now = card();
      if (!now) return "";
      const since = Number(now.dataset.since || 0);
      return `${now.dataset.ticket}|${since ? Math.round(performance.now() - since) : ""}`;
    },
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (!seen(document.getElementById("label-desk")) || typing(document.activeElement)) return;
    const dialog = document.getElementById("label-help");
    const code = plain(event.code);
    if (event.key === "?") help();
    else if (dialog && dialog.open) { event.stopImmediatePropagation(); return; }
    else if ((code === "Enter" || code === "Space") && own(document.activeElement, code)) return;
    else if (keyed.test(code) && !state()) notYet();
    else if (keyed.test(code) && !target(code)) early.push({ code, state: state() });
    else if (event.code === "Enter" || event.code === "NumpadEnter") press("label-confirm");
    else if (event.code === "Space" && sound()) sound().paused ? sound().play() : sound().pause();
    else return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }, true);

  document.addEventListener("click", (event) => {
    const desk = document.getElementById("label-desk");
    if (!desk || !desk.contains(event.target)) return;
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

  const arrived = () => {
    catchUp();
    const now = card();
    if (now && !now.dataset.since && seen(now)) {
      now.dataset.since = String(performance.now());
      const audio = sound();
      const fresh = window.serLabel.last !== now.dataset.ticket;
      window.serLabel.last = now.dataset.ticket;
      if (audio && fresh) audio.play().catch(() => now.classList.add("silent"));
      document.querySelectorAll("#label-choices button").forEach((button) =>
        button.classList.toggle("said", button.id === `label-choose-${now.dataset.said}`));
    }
    document.querySelectorAll("audio[data-play=now]").forEach((audio) => {
      delete audio.dataset.play;
      audio.play().catch(() => {});
    });
  };
  const start = () => {
    new MutationObserver(arrived).observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ["class", "style", "disabled", "data-ticket"] });
    arrived();
  };
  document.body ? start() : document.addEventListener("DOMContentLoaded", start);
})();

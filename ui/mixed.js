/* A second emotion and an intensity of a decision, once they are switched on, on the Label tab:
   Shift with a digit, and a key of its own, before the digit that saves. What is chosen goes with
   the next decision and is gone with the clip. Adjudication has the same bar. */
(() => {
  const KEPT = "second-emotion";
  const say = (text, values) => window.serPage.say(text, values);
  const on = () => Boolean(window.serPage.recall(KEPT, false));
  const emotionOf = (button) => [...(button?.classList || [])].find((name) => name.startsWith("emotion-"))?.slice(8) || "";
  const typing = (el) => el && (el.isContentEditable || el.matches("textarea, select, input:not([type=checkbox], [type=radio], [type=range], [type=file])"));

  /* One bar: `name` begins the ids of its parts, `tooEarly` says whether there is no clip to choose for. */
  const make = (name, card, tooEarly) => {
    let second = "", level = 0, waiting = false, ticket = "", painted = "";
    const bar = () => document.getElementById(`${name}-mixed`);
    const hint = () => {
      if (waiting) return say("Now choose the second emotion.");
      if (second) return say("Second emotion: {emotion}. Now choose the first.", { emotion: say(second) });
      return say("Shift and a digit choose the second emotion, before the digit that saves.");
    };
    const paint = () => {
      const place = bar();
      if (!place) return;
      const now = JSON.stringify([on(), second, level, waiting]);
      if (painted === now && place.dataset.painted === now) return;
      painted = place.dataset.painted = now;
      place.hidden = !on();
      const [one, two] = [place.querySelector(`#${name}-second`), place.querySelector(`#${name}-intensity`)];
      one.setAttribute("aria-pressed", String(waiting));
      one.querySelector("b").textContent = second ? say(second) : "–";
      two.querySelector("b").textContent = level || "–";
      place.querySelector("p").textContent = hint();
      document.querySelectorAll(`#${name}-choices button`).forEach((button) =>
        button.classList.toggle("second", on() && second !== "" && emotionOf(button) === second));
    };
    const clear = () => { second = ""; level = 0; waiting = false; paint(); };
    const choose = (emotion) => {
      second = emotion === second ? "" : emotion;
      waiting = false;
      paint();
    };
    return {
      clear,
      seen: () => document.getElementById(`${name}-choices`)?.offsetParent,
      given: () => (on() ? { second, intensity: level } : { second: "", intensity: 0 }),
      /* A digit with Shift. */
      key(code) {
        if (tooEarly()) return;
        const button = document.querySelector(`#${name}-choices :is(button.key-${code}, .key-${code} button)`);
        if (button) choose(emotionOf(button));
      },
      /* Take a click that saves nothing; return whether it was one. */
      click(target) {
        const button = target.closest?.(`#${name}-second, #${name}-intensity, #${name}-choices button`);
        const picks = button?.closest(`#${name}-choices`);
        if (!button || (picks && !waiting)) return null;
        if (tooEarly()) return button;
        if (picks) choose(emotionOf(button));
        else if (button.id === `${name}-intensity`) { level = (level + 1) % 4; paint(); }
        else if (second) choose(second);
        else { waiting = !waiting; paint(); }
        return button;
      },
      look() {
        const now = document.querySelector(card)?.dataset.ticket || "";
        if (now !== ticket) { ticket = now; clear(); }
        paint();
      },
    };
  };

  const DISPUTE = "#adjudicate-card [data-ticket]";
  const bars = {
    label: make("label", "#label-card .clip-card", () => window.serLabel.tooEarly()),
    adjudicate: make("adjudicate", DISPUTE, () => !document.querySelector(DISPUTE)),
  };
  const all = Object.values(bars);

  window.serMixed = {
    on,
    turn(wanted) {
      window.serPage.remember(KEPT, wanted);
      all.forEach((one) => one.clear());
    },
    /* What goes with a decision: the second emotion and the intensity, each "" where there is none. */
    given: (name = "label") => bars[name].given(),
    text(name = "label") {
      const { second: emotion, intensity } = bars[name].given();
      return `${emotion}|${intensity || ""}`;
    },
  };

  /* On the window, before what saves a decision: with Shift, or after the button, a digit saves none. */
  window.addEventListener("keydown", (event) => {
    if (!event.shiftKey || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (!on() || typing(document.activeElement) || document.getElementById("label-help")?.open) return;
    const shown = all.find((one) => one.seen());
    const code = window.serPage.codeOf(event.code);
    if (!shown || !/^Digit[1-9]$/.test(code)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    shown.key(code);
  }, true);
  window.addEventListener("click", (event) => {
    if (!on()) return;
    const button = all.reduce((taken, one) => taken || one.click(event.target), null);
    if (!button) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (event.detail > 0) button.blur();
  }, true);

  const look = () => all.forEach((one) => one.look());
  const start = () => {
    new MutationObserver(look).observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ["data-ticket"] });
    look();
  };
  document.body ? start() : document.addEventListener("DOMContentLoaded", start);
})();

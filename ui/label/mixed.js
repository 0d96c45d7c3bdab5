/* A second emotion and an intensity on the Label tab, where somebody switched them on: Shift with a
   digit, and a key of its own, before the digit that saves. What is chosen goes with the next
   decision and is gone with the clip. */
(() => {
  const KEPT = "second-emotion";
  const say = (text, values) => window.serPage.say(text, values);
  const bar = () => document.getElementById("label-mixed");
  const card = () => document.querySelector("#label-card .clip-card");
  const seen = () => document.getElementById("label-panel")?.offsetParent;
  const on = () => Boolean(window.serPage.recall(KEPT, false));
  const emotionOf = (button) => button?.id.match(/^label-choose-(\w+)$/)?.[1] || "";
  const typing = (el) => el && (el.isContentEditable || el.matches("textarea, select, input:not([type=checkbox], [type=radio], [type=range], [type=file])"));

  let second = "", level = 0, waiting = false, ticket = "", painted = "";

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
    const [one, two] = [place.querySelector("#label-second"), place.querySelector("#label-intensity")];
    one.setAttribute("aria-pressed", String(waiting));
    one.querySelector("b").textContent = second ? say(second) : "–";
    two.querySelector("b").textContent = level || "–";
    place.querySelector("p").textContent = hint();
    document.querySelectorAll("#label-choices button").forEach((button) =>
      button.classList.toggle("second", on() && second !== "" && emotionOf(button) === second));
  };
  const clear = () => { second = ""; level = 0; waiting = false; paint(); };
  const choose = (emotion) => {
    second = emotion === second ? "" : emotion;
    waiting = false;
    paint();
  };

  window.serMixed = {
    on,
    turn(wanted) {
      window.serPage.remember(KEPT, wanted);
      clear();
    },
    /* What goes with a decision: the second emotion and the intensity, each "" where there is none. */
    given: () => (on() ? { second, intensity: level } : { second: "", intensity: 0 }),
    text() {
      const { second: emotion, intensity } = window.serMixed.given();
      return `${emotion}|${intensity || ""}`;
    },
  };

  /* On the window, before what saves a decision: with Shift, or after the button, a digit saves none. */
  window.addEventListener("keydown", (event) => {
    if (!event.shiftKey || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (!on() || !seen() || typing(document.activeElement) || document.getElementById("label-help")?.open) return;
    const code = window.serPage.codeOf(event.code);
    if (!/^Digit[1-9]$/.test(code)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (window.serLabel.tooEarly()) return;
    const button = document.querySelector(`#label-choices :is(button.key-${code}, .key-${code} button)`);
    if (button) choose(emotionOf(button));
  }, true);
  window.addEventListener("click", (event) => {
    const button = event.target.closest?.("#label-second, #label-intensity, #label-choices button");
    if (!button || !on()) return;
    const picks = button.closest("#label-choices");
    if (picks && !waiting) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (event.detail > 0) button.blur();
    if (window.serLabel.tooEarly()) return;
    if (picks) choose(emotionOf(button));
    else if (button.id === "label-intensity") { level = (level + 1) % 4; paint(); }
    else if (second) choose(second);
    else { waiting = !waiting; paint(); }
  }, true);

  const look = () => {
    const now = card()?.dataset.ticket || "";
    if (now !== ticket) { ticket = now; clear(); }
    paint();
  };
  const start = () => {
    new MutationObserver(look).observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ["data-ticket"] });
    look();
  };
  document.body ? start() : document.addEventListener("DOMContentLoaded", start);
})();

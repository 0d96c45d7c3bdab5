/* The two large buttons above the clip: they press the small ones of the recorder for the person. */
(() => {
  const say = (text) => window.serPage.say(text);
  const find = (selector) => document.querySelector(`#clip ${selector}`);
  const until = async (selector) => {
    for (let tries = 0; tries < 60; tries++) {
      const found = find(selector);
      if (found) return found;
      await new Promise((done) => setTimeout(done, 50));
    }
    return null;
  };
  /* The recorder has two sides; its cross brings back the one that was open. */
  const side = async (number, selector) => {
    if (!find(selector)) find(".top-panel button:last-of-type")?.click();
    if (!find(selector)) (await until(`.source-selection button:nth-of-type(${number})`))?.click();
    return until(selector);
  };
  const recording = () => { const stop = find(".stop-button"); return stop && stop.offsetParent !== null; };
  const record = async () => {
    if (recording()) return find(".stop-button").click();
    (await side(2, ".record-button"))?.click();
  };
  /* A file goes in as if it had been dropped there. */
  const give = async (files) => {
    const input = files.length && await side(1, "input[type=file]");
    if (!input) return;
    const held = new DataTransfer();
    held.items.add(files[0]);
    input.files = held.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  };
  const choose = () => {
    const input = document.createElement("input");
    input.type = "file";
    input.accept = "audio/*,video/*";
    input.addEventListener("change", () => give(input.files));
    input.click();
  };
  window.serRecognise = { give };
  /* The link holds the figures themselves: nothing is kept on the server for it. */
  const share = async () => {
    const token = document.querySelector("#answer [data-link]")?.dataset.link;
    const note = document.getElementById("share-note");
    if (!token || !note) return;
    const link = `${location.origin}${location.pathname}#result=${token}`;
    const shown = document.createElement("a");
    shown.href = link;
    shown.textContent = say("Link to this result");
    let told = say("The link holds the figures, not the sound.");
    try {
      await navigator.clipboard.writeText(link);
      told = `${say("Copied.")} ${told}`;
    } catch { /* no right to the clipboard: the link itself stands there */ }
    note.replaceChildren(shown, `. ${told}`);
  };
  document.addEventListener("click", (event) => {
    if (event.target.closest("#record")) record();
    if (event.target.closest("#upload")) choose();
    if (event.target.closest("#share")) share();
  });
  const paint = () => {
    const button = document.getElementById("record");
    if (!button || button.classList.contains("on") === Boolean(recording())) return;
    const on = button.classList.toggle("on");
    button.dataset.idle = button.dataset.idle || button.lastChild.textContent;
    button.lastChild.textContent = on ? say("Stop") : button.dataset.idle;
  };
  const watch = () => new MutationObserver(paint).observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ["class", "style"] });
  document.body ? watch() : document.addEventListener("DOMContentLoaded", watch);
})();

/* Label through a lost connection: clips are fetched ahead, decisions wait on this device. */
(() => {
  const WAITING = "offline-waiting", TOLD = "offline-told", FEWEST = 5, UNHURRIED = 1500;
  const page = () => window.serPage;
  const say = (text, values) => window.serPage.say(text, values);
  /* As crypto.randomUUID, which only https and localhost have. */
  const unique = () => "10000000-1000-4000-8000-100000000000".replace(/[018]/g, (digit) =>
    (digit ^ (crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (digit / 4)))).toString(16));
  /* A session of its own: the server answers each to the browser that used it first. */
  const session = unique();
  const cards = new Map();
  let online = true, flushing = false, fetching = false, nextFetch = 0, last = null;
  /* Cards of this page's own decisions, so that Undo can bring them back. */
  const decidedOn = new Map();

  const panel = () => document.getElementById("label-panel");
  const seen = () => panel() && panel().offsetParent !== null;
  /* Where ours stands before the server's card, and says that no clip is left, there is none. */
  const card = () => (document.querySelector("#label-card > .offline-card") || document).querySelector("#label-card .clip-card");
  const clipOf = (one) => (one ? one.dataset.ticket.split(":")[0] : "");
  /* The ticket as the server gave it. A card whose segments changed here has another, so that they are
     drawn anew. */
  const ticketOf = (one) => (one ? one.dataset.ticket.replace(/~.*$/, "") : "");
  const near = (one, other) => Boolean(one && other) && Math.abs(one[0] - other[0]) < 0.002 && Math.abs(one[1] - other[1]) < 0.002;
  /* Decisions of somebody else who used this browser before wait until they are back: a page that is
     loaded asks about them once. */
  const others = new Set();
  const kept = () => page().recall(WAITING, []);
  const waiting = () => kept().filter((one) => !others.has(one.id));
  /* Clips that were decided on here and not sent yet: the server may offer them once more, for instance
     to a page that was loaded again meanwhile. */
  const decided = () => waiting().map((one) => one.ticket.split(":")[0]);
  const keep = (decisions) => page().remember(WAITING, [...kept().filter((one) => others.has(one.id)), ...decisions]);

  const root = () => (window.gradio_config?.root || location.origin).replace(/\/$/, "");
  const call = async (name, value) => {
    const listener = window.gradio_config.dependencies.find((one) => one.api_name === name);
    const answer = await plainFetch(`${root()}/gradio_api/run/predict`, {
      method: "POST", headers: { "Content-Type": "application/json" }, signal: AbortSignal.timeout(20000),
      body: JSON.stringify({ fn_index: listener.id, data: [JSON.stringify(value)], session_hash: session }),
    });
    if (!answer.ok) throw new Error(answer.status);
    return JSON.parse((await answer.json()).data[0]);
  };

  const paint = () => {
    const place = document.getElementById("label-offline");
    if (!place) return;
    const lines = [];
    const count = waiting().length;
    if (!online) lines.push(say("No connection. Decisions kept on this device: {count}. Clips left here: {left}.", { count, left: cards.size }));
    else if (count) lines.push(say("Sending decisions made without a connection: {count} …", { count }));
    lines.push(...page().recall(TOLD, []));
    const text = lines.join("\n");
    if (place.dataset.text === text) return;
    place.dataset.text = text;
    place.replaceChildren(...lines.map((line) => Object.assign(document.createElement("p"), { textContent: line })));
    if (page().recall(TOLD, []).length) {
      const button = Object.assign(document.createElement("button"), { type: "button", className: "seek", textContent: say("Dismiss") });
      button.addEventListener("click", () => { page().remember(TOLD, []); paint(); });
      place.append(button);
    }
    place.classList.toggle("lost", !online);
  };

  /* The card that the server sent stays where it is, out of sight; ours stands before it. */
  const show = (before) => {
    const holder = document.getElementById("label-card");
    if (!holder) return;
    let own = holder.querySelector(":scope > .offline-card");
    if (!own) {
      own = document.createElement("div");
      own.className = "offline-card";
      holder.prepend(own);
    }
    const [clip, next] = before ? ["", before] : cards.entries().next().value || [];
    cards.delete(clip);
    own.innerHTML = next || `<div class="welcome"><h2>${say("No more clips are here")}</h2>${say("The next ones come with the connection. What you decided is kept on this device.")}</div>`;
    document.getElementById("label-picture")?.classList.add("of-another");
    paint();
  };
  const backToServer = () => {
    document.querySelector("#label-card > .offline-card")?.remove();
    if (card()) card().dataset.ticket = ticketOf(card());
    document.getElementById("label-picture")?.classList.remove("of-another");
    const again = document.querySelector("button#label-again, #label-again button");
    if (again && seen()) again.click();
  };

  /* The fields beside the choice. Without a connection Gradio neither reads nor empties them. */
  const fields = {
    radios: () => [...document.querySelectorAll("#label-certainty input")],
    note: () => document.querySelector("#label-note :is(textarea, input)"),
    reason: () => document.querySelector("#label-reason input"),
    read() {
      const sure = this.radios().find((one) => one.checked);
      const typed = this.reason()?.value ?? "";
      /* What a choice is called is in the reader's language, what is kept is not. */
      const { choices = [] } = window.gradio_config.components.find((one) => one.props.elem_id === "label-reason")?.props ?? {};
      const [, reason = typed] = choices.find(([name]) => name === typed || say(name) === typed) ?? [];
      return { certainty: sure ? Number(sure.value) : undefined, note: this.note()?.value, reason };
    },
    empty() {
      for (const one of this.radios()) { one.checked = false; one.closest("label").classList.remove("selected"); }
      for (const one of [this.note(), this.reason()]) if (one?.value) { one.value = ""; one.dispatchEvent(new Event("input", { bubbles: true })); }
    },
  };
  window.addEventListener("change", (event) => {
    if (online || !event.target.closest?.("#label-certainty")) return;
    fields.radios().forEach((one) => one.closest("label").classList.toggle("selected", one.checked = one === event.target));
  }, true);
  const decisionOf = (button) => {
    const now = card();
    if (!now || !button || "practice" in now.dataset) return null;
    const since = Number(now.dataset.since || 0);
    const made = { id: unique(), ticket: ticketOf(now), who: now.dataset.who, blind: Boolean(page().recall("blind", false)) };
    if (since) made.milliseconds = Math.round(performance.now() - since);
    const { certainty, note, reason } = fields.read();
    if (button.closest("#label-unclear")) return { ...made, note, action: "skip", unclear: true };
    if (button.closest("#label-skip")) return { ...made, note, reason, action: "skip" };
    Object.assign(made, window.serMixed.given(), { certainty, note });
    if (button.closest("#label-confirm")) return now.dataset.predicted ? { ...made, action: "label", emotion: now.dataset.predicted } : null;
    const [start, end, ...moved] = window.serSegments.label.chosen().split("|").slice(1).map(Number);
    if (end !== undefined) made.segment = [start, end];
    if (moved.length) made.replaces = moved;
    if (button.closest("#label-remove")) return made.segment ? { ...made, action: "remove" } : null;
    const found = button.id.match(/^label-choose-(\w+)$/);
    return found ? { ...made, action: "label", emotion: found[1] } : null;
  };
  /* A card as it came, to be heard and timed anew. */
  const copyOf = (one) => {
    const copy = one.cloneNode(true);
    delete copy.dataset.since;
    copy.classList.remove("pending");
    return copy.outerHTML;
  };
  /* Draw the segments of the clip on the page as this device knows them. */
  const redraw = (now, segments) => {
    now.dataset.segments = JSON.stringify(segments.sort((one, other) => one[0] - other[0]));
    now.dataset.ticket = `${ticketOf(now)}~${unique()}`;
  };
  const queue = (decision) => {
    const now = card();
    keep([...waiting(), decision]);
    if (decision.segment && now) {
      const before = JSON.parse(now.dataset.segments || "[]");
      decidedOn.set(decision.id, { segments: before });
      const left = before.filter((one) => !near(one, decision.segment) && !near(one, decision.replaces));
      redraw(now, decision.action === "label" ? [...left, [...decision.segment, decision.emotion]] : left);
      paint();
    } else {
      if (now) decidedOn.set(decision.id, { card: copyOf(now) });
      show();
    }
    fields.empty();
  };
  const undo = () => {
    const all = waiting(), gone = all.pop(), before = decidedOn.get(gone.id);
    keep(all);
    decidedOn.delete(gone.id);
    if (before?.segments && ticketOf(card()) === gone.ticket) redraw(card(), before.segments);
    else if (before?.card) {
      const now = card();
      /* The one before our eyes is the next again. */
      if (now) { const rest = [...cards]; cards.clear(); cards.set(clipOf(now), copyOf(now)); rest.forEach(([clip, html]) => cards.set(clip, html)); }
      show(before.card);
    }
    paint();
  };

  /* Whether the latest decision has not been answered yet, as far as the page shows. */
  const underWay = () => last && ticketOf(card()) === last.ticket && window.serLabel.busy();
  const lost = () => {
    if (!online) return;
    online = false;
    /* What was on its way when the connection went is kept too; the server knows what it has. */
    if (underWay()) { queue(last); last = null; }
    paint();
  };
  const flush = async () => {
    if (flushing || !waiting().length) return;
    flushing = true;
    try {
      while (waiting().length) {
        const part = waiting().slice(0, 10);
        const results = await call("label_take", part);
        const told = results.filter((one) => one.status === "conflict" || one.status === "refused").map((one) => one.message);
        if (told.length) page().remember(TOLD, [...page().recall(TOLD, []), ...told]);
        results.filter((one) => one.status === "other").forEach((one) => others.add(one.id));
        const done = new Set(results.map((one) => one.id));
        const again = online && part.some((one) => one.ticket === ticketOf(card()));
        keep(waiting().filter((one) => !done.has(one.id)));
        if (again) backToServer();
        paint();
      }
    } catch { /* it is lost again: they stay where they are */ } finally {
      flushing = false;
    }
  };
  const found = async () => {
    await flush();
    if (waiting().length) return;
    const before = online;
    online = true;
    if (!before) backToServer();
    paint();
  };
  const probe = async () => {
    try {
      const answer = await plainFetch(`${root()}/health`, { cache: "no-store", signal: AbortSignal.timeout(4000) });
      if (answer.status >= 502) throw new Error(answer.status);
      if (!online || waiting().length) await found();
    } catch { lost(); }
  };

  /* Any request of the page that gets no answer says that the connection is gone. */
  const plainFetch = window.fetch.bind(window);
  window.fetch = async (...given) => {
    try {
      return await plainFetch(...given);
    } catch (error) {
      if (error instanceof TypeError) probe();
      throw error;
    }
  };
  window.addEventListener("offline", lost);
  window.addEventListener("online", probe);

  const ahead = async () => {
    if (fetching || !online || waiting().length || !seen() || !card() || performance.now() < nextFetch || cards.size >= 50) return;
    /* Not while somebody hurries on: the server makes the clips ready that they press for. */
    if (cards.size >= FEWEST && performance.now() - Number(card().dataset.since || 0) < UNHURRIED) return;
    fetching = true;
    try {
      const blind = Boolean(page().recall("blind", false));
      const got = await call("label_ahead", { have: [clipOf(card()), ...cards.keys()], blind });
      const made = new Set(decided());
      got.filter((one) => !made.has(one.clip)).forEach((one) => cards.set(one.clip, one.card));
      nextFetch = performance.now() + (got.length ? 1000 : 20000);
    } catch { nextFetch = performance.now() + 5000; } finally {
      fetching = false;
      paint();
    }
  };

  const note = (text) => {
    const place = document.getElementById("label-ignored");
    if (place) place.textContent = text;
  };
  /* A page that is left or loaded again, as Gradio does once a restarted server answers, takes with it
     what was on its way. The server knows what reached it. */
  window.addEventListener("pagehide", () => { if (online && underWay()) keep([...waiting(), last]); });

  /* Before every other listener: without a connection the buttons speak to this device. */
  window.addEventListener("click", (event) => {
    const stop = () => { event.preventDefault(); event.stopImmediatePropagation(); };
    const button = event.target.closest?.("#label-choices button, #label-confirm, #label-skip, #label-unclear, #label-remove");
    if (!button) {
      if (event.target.closest?.("#label-blind input")) cards.clear();
      if (online) return;
      if (event.target.closest?.("#label-undo")) {
        if (window.serSegments.label.undo()) return stop();
        if (waiting().length && !flushing) { undo(); stop(); }
      } else if (event.target.closest?.("#label-suggest")) {
        stop();
        note(say("Segments are suggested once the connection is back."));
      }
      return;
    }
    const decision = decisionOf(button.closest("button") || button);
    if (online) {
      if (!window.serLabel.busy()) last = decision;
      return;
    }
    stop();
    note("practice" in (card()?.dataset ?? {}) ? say("Practice goes on once the connection is back.") : "");
    if (decision) queue(decision);
  }, true);

  window.serOffline = { held: () => cards.size, waiting: () => waiting().length, online: () => online };
  setInterval(() => {
    if (!window.serPage?.ready) return;
    const now = clipOf(card());
    if (online) cards.delete(now);
    ahead();
  }, 500);
  setInterval(() => { if (window.serPage?.ready && (seen() || waiting().length)) probe(); }, 4000);
  document.addEventListener("DOMContentLoaded", paint);
})();

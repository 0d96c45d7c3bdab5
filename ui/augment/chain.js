/* The editor of a recipe. props.table has the effects, props.recipes the presets; props.value is
   JSON {recipe, seed}. It triggers "input" when the recipe or the seed changed, and "submit" when
   a pasted recipe is to be read. What a person sees is made here from the table alone. */
const table = Object.fromEntries(props.table.map((effect) => [effect.name, effect]));
const root = element.querySelector(".chain");
let recipe = [];
let seed = 0;
let sent = "";
let due = 0;
const known = props.words[(navigator.language || "en").split("-")[0]] || {};
const word = (text) => known[text] || text;
const say = (text, values) => window.serPage.say(text, values);

const make = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value != null) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
};
const tell = (wait) => {
  clearTimeout(due);
  due = setTimeout(() => {
    sent = JSON.stringify({ recipe, seed });
    props.value = sent;
    trigger("input");
  }, wait);
  show_text();
};
const digits = (step) => (String(step).split(".")[1] || "").length;
const said = (parameter, value) => {
  if (parameter.switch) return value ? say("on") : say("off");
  const number = Number(value).toFixed(digits(parameter.step));
  return parameter.unit === "×" ? number + " ×" : parameter.unit ? number + " " + word(parameter.unit) : number;
};
const is_range = (value) => Array.isArray(value) && value[0] !== value[1];

/* one slider; which is 0 or 1 in a range, else null */
const slider = (step, parameter, which, number) => {
  const value = which === null ? step[parameter.name] : step[parameter.name][which];
  const name = word(parameter.name.replaceAll("_", " "));
  const words = which === null ? name : which ? say("{name}, to", { name }) : say("{name}, from", { name });
  const out = make("output", {}, said(parameter, value));
  const input = make("input", {
    type: "range", min: parameter.low, max: parameter.high, step: parameter.step, value,
    "aria-label": say("{part} of {whole}", { part: words, whole: word(table[step.name].title) }), "aria-valuetext": said(parameter, value),
    "data-step": number, "data-parameter": parameter.name, title: word(parameter.about),
    oninput: (event) => {
      const now = Number(event.target.value);
      if (which === null) step[parameter.name] = now;
      else {
        const pair = [...step[parameter.name]];
        pair[which] = now;
        step[parameter.name] = pair[0] <= pair[1] ? pair : which ? [now, now] : [now, now];
        if (pair[0] > pair[1]) draw();
      }
      out.textContent = said(parameter, now);
      event.target.setAttribute("aria-valuetext", said(parameter, now));
      tell(60);
    },
  });
  return make("label", { class: "slide" },
    make("span", { class: "word" }, words), input, out);
};
const row = (step, parameter, number) => {
  if (!(parameter.name in step)) step[parameter.name] = parameter.default;
  const name = word(parameter.name.replaceAll("_", " "));
  if (parameter.switch && !is_range(step[parameter.name])) {
    const box = make("input", { type: "checkbox", "data-step": number, "data-parameter": parameter.name,
      onchange: (event) => { step[parameter.name] = event.target.checked ? 1 : 0; tell(0); } });
    box.checked = Boolean(step[parameter.name]);
    return make("div", { class: "parameter" },
      make("label", { class: "tick" }, box, make("span", {}, name)), make("p", { class: "about" }, word(parameter.about)));
  }
  const varied = Array.isArray(step[parameter.name]);
  const vary = make("button", { type: "button", class: "small", "aria-pressed": String(varied),
    title: say("Draw the value between two ends, anew with each seed"),
    onclick: () => {
      const value = step[parameter.name];
      if (varied) step[parameter.name] = value[0];
      else {
        const swing = (parameter.high - parameter.low) / 10;
        const fit = (x) => Number(Math.min(Math.max(x, parameter.low), parameter.high).toFixed(digits(parameter.step)));
        step[parameter.name] = [fit(value - swing), fit(value + swing)];
      }
      draw(); tell(0);
    } }, varied ? say("fix") : say("vary"));
  vary.setAttribute("aria-label", varied ? say("Fix {name}", { name }) : say("Vary {name}", { name }));
  const sliders = varied ? [slider(step, parameter, 0, number), slider(step, parameter, 1, number)]
    : [slider(step, parameter, null, number)];
  return make("div", { class: "parameter" },
    make("div", { class: "with-vary" }, make("div", { class: "sliders" }, ...sliders), vary),
    make("p", { class: "about" }, word(parameter.about)));
};
const move = (from, to) => {
  const [step] = recipe.splice(from, 1);
  recipe.splice(to, 0, step);
  draw(); tell(0);
  const cards = root.querySelectorAll(".step");
  if (cards[to]) cards[to].focus();
};
const card = (step, place) => {
  const effect = table[step.name];
  const button = (sign, words, off, action) => make("button", { type: "button", class: "small",
    "aria-label": words + " " + word(effect.title), title: words, disabled: off, onclick: action }, sign);
  const share = "p" in step ? step.p : 1;
  const chance = make("output", {}, Math.round(share * 100) + " %");
  return make("li", { class: "step", tabindex: "-1", "data-effect": step.name },
    make("div", { class: "step-head" },
      make("b", {}, (place + 1) + ". " + word(effect.title)),
      make("span", { class: "step-buttons" },
        button("↑", say("Earlier:"), place === 0, () => move(place, place - 1)),
        button("↓", say("Later:"), place === recipe.length - 1, () => move(place, place + 1)),
        button("✕", say("Remove"), false, () => { recipe.splice(place, 1); draw(); tell(0); }))),
    make("p", { class: "about" }, word(effect.summary)),
    ...effect.parameters.map((parameter) => row(step, parameter, place)),
    share < 1 || step.open
      ? make("label", { class: "slide chance" }, make("span", { class: "word" }, say("chance")),
          make("input", { type: "range", min: 0, max: 1, step: 0.05, value: share,
            "aria-label": say("How often {name} is applied", { name: word(effect.title) }),
            oninput: (event) => { step.p = Number(event.target.value); chance.textContent = Math.round(step.p * 100) + " %"; tell(60); } }),
          chance)
      : "");
};
const steps_only = () => recipe.map(({ open, ...step }) => step);
const toml_value = (value) => Array.isArray(value) ? "[" + value.join(", ") + "]" : JSON.stringify(value);
const toml = () => {
  const line = (step) => "{ " + Object.entries(step).map(([key, value]) => key + " = " + toml_value(value)).join(", ") + " }";
  const list = (kind) => steps_only().filter((step) => table[step.name].kind === kind).map((step) => "  " + line(step)).join(",\n");
  const part = (key, kind) => list(kind) ? key + " = [\n" + list(kind) + "\n]\n" : "";
  return part("augment", "waveform") + part("feature_augment", "feature") || "augment = []\n";
};
const text = make("textarea", { rows: 8, spellcheck: "false", "aria-label": say("Recipe as JSON"), class: "recipe-text" });
const settings = make("textarea", { rows: 6, readonly: true, spellcheck: "false", "aria-label": say("Recipe for the trainer's settings, TOML") });
const show_text = () => {
  text.value = "[\n" + steps_only().map((step) => "  " + JSON.stringify(step)).join(",\n") + "\n]";
  if (!recipe.length) text.value = "[]";
  settings.value = toml();
};
const copied = make("span", { role: "status", class: "about" });
const copy = (from) => {
  from.select();
  const done = () => { copied.textContent = say("Copied."); setTimeout(() => { copied.textContent = ""; }, 2000); };
  if (navigator.clipboard && window.isSecureContext) navigator.clipboard.writeText(from.value).then(done, () => { document.execCommand("copy"); done(); });
  else { document.execCommand("copy"); done(); }
};
const list = make("ol", { class: "steps", "aria-label": say("Effects, applied from top to bottom") });
const adder = make("select", { class: "adder", "aria-label": say("Add an effect"),
  onchange: (event) => {
    const name = event.target.value;
    event.target.value = "";
    if (!name) return;
    recipe.push({ ...table[name].start });
    draw(); tell(0);
  } });
const number = make("input", { type: "number", min: 0, max: 4294967295, step: 1, class: "seed", "aria-label": say("Seed"),
  onchange: (event) => {
    const now = Math.floor(Number(event.target.value));
    seed = Number.isFinite(now) ? Math.min(Math.max(now, 0), 4294967295) : 0;
    event.target.value = seed;
    tell(0);
  } });
const dice = make("button", { type: "button", class: "dice", title: say("Draw anew what is left open: noise, echoes, ranges, chances"),
  onclick: () => { seed = Math.floor(Math.random() * 1e6); number.value = seed; tell(0); } }, "⚄ " + say("Roll the dice"));
const presets = make("div", { class: "presets", role: "group", "aria-label": say("Presets") },
  ...Object.keys(props.recipes).map((name) => make("button", { type: "button", class: "preset", "data-preset": name,
    onclick: () => { recipe = structuredClone(props.recipes[name]); draw(); tell(0); } }, word(name))),
  make("button", { type: "button", class: "preset", "data-preset": "", onclick: () => { recipe = []; draw(); tell(0); } }, say("none")));

const draw = () => {
  for (const step of recipe) for (const one of table[step.name].parameters) if (!(one.name in step)) step[one.name] = one.default;
  list.replaceChildren(...recipe.map(card));
  if (!recipe.length) list.append(make("li", { class: "empty" }, say("No effect yet: what comes out is what went in. Choose a preset or add an effect.")));
  number.value = seed;
  show_text();
};
const read = (value) => {
  if (!value || value === sent) return;
  const held = JSON.parse(value);
  recipe = held.recipe.filter((step) => step.name in table);
  seed = held.seed;
  sent = value;
  draw();
};
const kinds = { waveform: say("On the sound"), feature: say("On the picture that the model sees") };
adder.append(make("option", { value: "" }, "+ " + say("Add an effect") + " …"));
for (const [kind, words] of Object.entries(kinds))
  adder.append(make("optgroup", { label: words }, ...props.table.filter((effect) => effect.kind === kind)
    .map((effect) => make("option", { value: effect.name }, word(effect.title)))));
root.replaceChildren(
  make("div", { class: "caption" }, say("Presets")), presets, list, adder,
  make("div", { class: "draw" }, make("label", {}, make("span", {}, say("Seed") + " "), number), dice),
  make("details", { class: "as-text" }, make("summary", {}, say("The recipe as JSON, and for the trainer")),
    text,
    make("div", { class: "buttons" },
      make("button", { type: "button", class: "small", onclick: () => copy(text) }, say("Copy JSON")),
      make("button", { type: "button", class: "small use-json", onclick: () => {
        clearTimeout(due);
        sent = JSON.stringify({ recipe: text.value, seed });
        props.value = sent;
        trigger("submit");
      } }, say("Use this JSON")), copied),
    make("p", { class: "about" }, say("For the trainer's settings file (TOML):")), settings,
    make("div", { class: "buttons" }, make("button", { type: "button", class: "small", onclick: () => copy(settings) }, say("Copy settings")))));
draw();
read(props.value);
watch("value", () => read(props.value));

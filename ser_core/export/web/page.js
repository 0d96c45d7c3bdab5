// The page: a clip from the microphone or a file, what the worker answers, and what to keep of it.
import { RATE, blocks, csv, mono, rateInHead, resample, wav } from "./analysis.js";

const $ = (id) => document.getElementById(id);
const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
const LONGEST = 3600;
let model = null, shown = null, speech = [], asked = 0, recording = null;

const percent = (share) => `${(100 * share).toFixed(share > 0 && share < 0.01 ? 1 : 0)} %`;
const moment = (at, seconds) => {
  if (seconds < 60) return `${at.toFixed(1)} s`;
  const whole = Math.floor(at), two = (x) => String(x).padStart(2, "0");
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
};

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const swatch = (emotion) =>
  element("span", { class: `swatch emotion-${emotion}`, "aria-hidden": "true" }, model.letters[emotion]);

function say(message, busy = false) {
  $("status").textContent = message;
  $("answer").setAttribute("aria-busy", String(busy));
}

// ---- the worker -----------------------------------------------------------------------------

worker.onmessage = ({ data }) => {
  if (data.kind === "progress") {
    $("load-bar").value = data.share;
    $("load-text").textContent = data.share < 1 ? `Loading the model: ${percent(data.share)}` : "Starting the model …";
  } else if (data.kind === "ready") {
    model = data.model;
    $("loading").hidden = true;
    $("model-line").textContent = `${model.name} · ${model.version}`;
    $("model-name").textContent = `${model.name} ${model.version}`;
    $("licence").textContent = `licence ${model.licence}`;
    for (const id of ["record", "choose"]) $(id).disabled = false;
    document.documentElement.dataset.ready = "true";
  } else if (data.id !== undefined && data.id !== asked) {
    return; // of a clip that was replaced meanwhile
  } else if (data.kind === "windows" && data.all > 4) {
    say(`Listening: ${data.done} of ${data.all} windows`, true);
  } else if (data.kind === "answer") {
    show(data.told, data.speech);
  } else if (data.kind === "failed") {
    $("loading").hidden = model !== null;
    if (model) say(`This did not work: ${data.message}`);
    else $("load-text").textContent = `The model can't be loaded: ${data.message}`;
  }
};
worker.onerror = () => {
  $("load-text").textContent = "The model can't be started. This page needs a browser of 2023 or newer, and a web server: opened as a file it does not work.";
};

async function ask(channels, rate, name, bytes, notes = []) {
  const id = ++asked;
  if (!channels[0].length) return say("The clip holds no sound. Record it again.");
  const sound = channels.map((channel) => resample(channel, rate));
  const digest = bytes && globalThis.crypto?.subtle ? await crypto.subtle.digest("SHA-256", bytes) : null;
  const sha256 = digest ? [...new Uint8Array(digest)].map((x) => x.toString(16).padStart(2, "0")).join("") : "";
  const player = $("player");
  if (player.src) URL.revokeObjectURL(player.src);
  player.src = URL.createObjectURL(new Blob([wav(mono(sound), RATE)], { type: "audio/wav" }));
  player.hidden = false;
  if (id !== asked) return undefined;
  say("Listening …", true);
  return worker.postMessage({ id, channels: sound, name, sha256, notes });
}

// ---- where clips come from ------------------------------------------------------------------

async function decoded(bytes, rate) {
  const context = new OfflineAudioContext(1, 1, rate);
  return context.decodeAudioData(bytes.slice(0));
}

async function open(file) {
  if (!model || !file) return;
  say("Reading the clip …", true);
  const bytes = await file.arrayBuffer();
  const name = file.name;
  if (!bytes.byteLength) return void say(`“${name}” is empty (0 bytes). Record or save it again.`);
  // At the file's own rate, so that the browser does not resample; the filter is our own.
  const own = rateInHead(bytes);
  let buffer = null;
  for (const rate of own ? [own, 48000] : [48000]) {
    try { buffer = await decoded(bytes, rate); break; } catch { /* the next rate, or the sentence below */ }
  }
  if (!buffer) return void say(`“${name}” is not a sound file that this browser can read. Save it as WAV, FLAC, MP3 or OGG and try again.`);
  if (buffer.duration > LONGEST) return void say(`“${name}” is longer than an hour. Cut it into parts and take them one by one.`);
  const channels = Array.from({ length: buffer.numberOfChannels }, (_, i) => buffer.getChannelData(i));
  await ask(channels, buffer.sampleRate, name, bytes);
}

async function start() {
  let stream;
  try {
    const wish = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    stream = await navigator.mediaDevices.getUserMedia({ audio: wish });
  } catch (error) {
    return say(error.name === "NotAllowedError"
      ? "The microphone was not allowed. Allow it in the browser's address bar, or choose a file."
      : "No microphone was found. Connect one, or choose a file.");
  }
  const context = new AudioContext();
  await context.audioWorklet.addModule(new URL("recorder.js", import.meta.url));
  const node = new AudioWorkletNode(context, "recorder", { numberOfOutputs: 0 });
  const parts = [];
  node.port.onmessage = ({ data }) => {
    parts.push(data);
    const seconds = (parts.length * data.length) / context.sampleRate;
    $("record-text").textContent = `Stop (${seconds.toFixed(0)} s)`;
    if (seconds > LONGEST) stop();
  };
  context.createMediaStreamSource(stream).connect(node);
  recording = { stream, context, parts };
  $("record").classList.add("on");
  $("record-text").textContent = "Stop";
  say("Recording …", true);
}

async function stop() {
  const { stream, context, parts } = recording;
  recording = null;
  stream.getTracks().forEach((track) => track.stop());
  const rate = context.sampleRate;
  await context.close();
  $("record").classList.remove("on");
  $("record-text").textContent = "Record";
  const samples = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => { samples.set(part, at); return at + part.length; }, 0);
  if (!samples.length) return say("Nothing was recorded. Check the microphone and record again.");
  return ask([samples], rate, "recording.wav", null);
}

$("record").addEventListener("click", () => (recording ? stop() : start()));
$("choose").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", ({ target }) => { open(target.files[0]); target.value = ""; });
addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("drop"); });
addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("drop"); });
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("drop");
  open(event.dataTransfer.files[0]);
});

// ---- the answer -----------------------------------------------------------------------------

function show(told, segments) {
  [shown, speech] = [told, segments];
  document.documentElement.dataset.answer = JSON.stringify(told);
  $("told").hidden = $("keep").hidden = false;
  const sure = told.emotion !== null && told.unsure === null;
  say(told.emotion === null ? "No answer." : sure
    ? `${told.emotion}, ${percent(told.confidence)}` : `Not sure; most likely ${told.emotion}, ${percent(told.confidence)}`);
  $("status").classList.add("visually-hidden");
  $("word").replaceChildren(...(told.emotion === null ? ["No answer"] : sure ? [swatch(told.emotion), told.emotion] : ["Not sure"]));
  $("word").classList.toggle("doubtful", !sure);
  $("share").textContent = told.emotion === null ? "" : sure ? percent(told.confidence) : `most likely ${told.emotion}, ${percent(told.confidence)}`;
  $("file-name").textContent = `${told.file} · ${told.seconds.toFixed(1)} s`;
  $("unsure").hidden = told.unsure === null;
  $("unsure").textContent = told.unsure ?? "";
  const order = [...model.emotions].sort((a, b) => told.probabilities[b] - told.probabilities[a]);
  $("bars").replaceChildren(...(told.emotion === null ? [] : order.map((emotion) => {
    const share = told.probabilities[emotion];
    const fill = element("div", { class: `fill emotion-${emotion}` });
    fill.style.width = `${100 * share}%`;
    const name = element("span", { class: "name" }, swatch(emotion), element("span", {}, emotion));
    return element("li", emotion === told.emotion ? { class: "top" } : {}, name,
      element("div", { class: "track", "aria-hidden": "true" }, fill),
      element("span", { class: "value" }, percent(share)));
  })));
  const cover = `${Math.round(100 * model.calibration.coverage)} %`;
  $("set").textContent = told.emotion === null ? "" : told.conformal_set.length === model.emotions.length
    ? "No emotion can be ruled out." : `With ${cover} coverage it is ${told.conformal_set.join(", ").replace(/, ([^,]*)$/, " or $1")}.`;
  $("warnings").replaceChildren(...told.warnings.map((one) => element("li", {}, one)));
  overTime();
}

function overTime() {
  const long = shown.summary !== null;
  $("over-time").hidden = !long;
  if (!long) return;
  const parts = blocks(model.emotions, shown.windows, speech);
  const [from, to] = [parts[0].start, parts.at(-1).end];
  $("line").replaceChildren(...parts.map((part) => {
    const said = part.emotion === null ? "no speech" : `${part.emotion}, ${percent(part.probability)}`;
    const span = `${moment(part.start, shown.seconds)} to ${moment(part.end, shown.seconds)}: ${said}`;
    const doubtful = part.emotion !== null && part.entropy > model.calibration.entropy_limit;
    const kind = part.emotion === null ? "still" : `emotion-${part.emotion}${doubtful ? " doubtful" : ""}`;
    const made = element("button", { type: "button", class: `part ${kind}`, title: span, "aria-label": span },
      element("span", { "aria-hidden": "true" }, part.emotion === null ? "" : model.letters[part.emotion]));
    made.style.flexGrow = (part.end - part.start) / (to - from);
    made.addEventListener("click", () => { $("player").currentTime = part.start; $("player").play(); });
    return made;
  }));
  $("line").firstChild.style.marginLeft = `${(100 * from) / shown.seconds}%`;
  $("end").textContent = moment(shown.seconds, shown.seconds);
  const { speaking, silent, unsure, changes } = shown.summary;
  const often = changes.length === 1 ? "The emotion changes once." : changes.length ? `The emotion changes ${changes.length} times.` : "";
  const doubt = unsure > 0 ? ` In ${percent(unsure)} of the speech the model was not sure.` : "";
  $("sentence").textContent = `${speaking.toFixed(0)} s of speech, ${silent.toFixed(0)} s of silence. ${often}${doubt}`;
  $("rows").replaceChildren(...parts.map((part) => element("tr", {},
    element("td", {}, moment(part.start, shown.seconds)), element("td", {}, moment(part.end, shown.seconds)),
    element("td", {}, part.emotion ?? "–"), element("td", {}, part.emotion === null ? "–" : percent(part.probability)))));
}

function keep(text, kind, ending) {
  const link = element("a", { download: `${shown.file.replace(/\.[^.]*$/, "") || "clip"}.${ending}` });
  link.href = URL.createObjectURL(new Blob([text], { type: kind }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
$("json").addEventListener("click", () => keep(`${JSON.stringify(shown, null, 2)}\n`, "application/json", "json"));
$("csv").addEventListener("click", () => keep(csv(model.emotions, shown), "text/csv", "csv"));

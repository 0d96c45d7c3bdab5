// The networks, away from the page's own thread: speech detection and the emotion model.
import * as ort from "./vendor/ort.wasm.bundle.min.mjs";
import { RATE, inspect, levelled, mono, planWindows, prediction, stretches } from "./analysis.js";

ort.env.wasm.wasmPaths = { wasm: new URL("./vendor/ort-wasm-simd-threaded.wasm", import.meta.url).href };
// Several threads need a page that is isolated from others (see the README's custom headers).
ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency || 1) : 1;

const BATCH = 4;
let model, network, detector;

async function fetched(name, bytes, report) {
  const answer = await fetch(new URL(name, import.meta.url));
  if (!answer.ok) throw new Error(`${name} could not be fetched (${answer.status}).`);
  const held = new Uint8Array(bytes);
  const reader = answer.body.getReader();
  let at = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (at + value.length > bytes) throw new Error(`${name} is longer than it should be.`);
    held.set(value, at);
    report((at += value.length));
  }
  if (at !== bytes) throw new Error(`${name} ended early: ${at} of ${bytes} bytes came. Load the page again.`);
  return held;
}

async function load() {
  model = await (await fetch(new URL("model.json", import.meta.url))).json();
  const { network: net, detector: vad } = model.files;
  const all = net.bytes + vad.bytes;
  const tell = (before) => (at) => postMessage({ kind: "progress", share: (before + at) / all });
  const heard = await fetched(vad.name, vad.bytes, tell(0));
  const weights = await fetched(net.name, net.bytes, tell(vad.bytes));
  const options = { executionProviders: ["wasm"], graphOptimizationLevel: "all" };
  detector = await ort.InferenceSession.create(heard, options);
  network = await ort.InferenceSession.create(weights, options);
  await logits([[new Float32Array(RATE)]]); // the first run sets memory aside
  postMessage({ kind: "ready", model });
}

async function speech(samples) {
  const sound = levelled(samples);
  if (!sound) return [];
  const count = Math.ceil(sound.length / 512);
  let h = new ort.Tensor("float32", new Float32Array(128), [1, 1, 128]), c = h;
  const found = [];
  for (let first = 0; first < count; first += 512) {
    const rows = Math.min(512, count - first);
    const input = new Float32Array(rows * 576);
    for (let row = 0; row < rows; row++) {
      const at = (first + row) * 512 - 64;
      for (let i = Math.max(0, -at); i < 576 && at + i < sound.length; i++) input[row * 576 + i] = sound[at + i];
    }
    const out = await detector.run({ input: new ort.Tensor("float32", input, [rows, 576]), h, c });
    found.push(...out.speech_probs.data);
    [h, c] = [out.hn, out.cn];
  }
  return stretches(found, sound.length).map(([a, b]) => [a / RATE, b / RATE]);
}

/** Logits of pieces no longer than a window; each is one channel, or as many as the model takes. */
async function logits(pieces) {
  const longest = Math.max(...pieces.map(([piece]) => piece.length)), channels = model.input_channels;
  const waveform = new Float32Array(pieces.length * channels * longest);
  pieces.forEach((piece, row) => {
    for (let channel = 0; channel < channels; channel++) {
      waveform.set(piece[channel % piece.length], (row * channels + channel) * longest);
    }
  });
  const out = await network.run({
    waveform: new ort.Tensor("float32", waveform, [pieces.length, channels, longest]),
    lengths: new ort.Tensor("int64", BigInt64Array.from(pieces, ([piece]) => BigInt(piece.length)), [pieces.length]),
  });
  const width = model.emotions.length;
  return pieces.map((_, row) => Array.from(out.logits.data.slice(row * width, (row + 1) * width)));
}

async function judge({ id, channels, name, sha256, notes }) {
  const measured = inspect(channels);
  const one = mono(channels);
  const segments = measured.reject ? [] : await speech(one);
  const abstained = measured.reject ?? (segments.length ? null
    : "No speech was found in the clip. Record closer to the microphone, or choose a part in which somebody speaks.");
  const plan = planWindows(one.length, segments, { window: model.window, rate: RATE, trim: model.trim_silence });
  const byWindow = [];
  if (!abstained) {
    const asked = plan.filter((window) => window.judged);
    const sound = channels.length === model.input_channels ? channels : [one];
    for (let first = 0; first < asked.length; first += BATCH) {
      const pieces = asked.slice(first, first + BATCH).map(({ first: a, end }) => sound.map((channel) => channel.subarray(a, end)));
      byWindow.push(...(await logits(pieces)));
      postMessage({ kind: "windows", id, done: byWindow.length, all: asked.length });
    }
  }
  const told = prediction(model, { name, sha256, samples: one.length },
    { segments, plan, byWindow, warnings: [...notes, ...measured.warnings], abstained });
  postMessage({ kind: "answer", id, told, speech: segments });
}

let queue = Promise.resolve();
onmessage = ({ data }) => {
  queue = queue.then(() => judge(data)).catch((error) => postMessage({ kind: "failed", id: data.id, message: String(error.message ?? error) }));
};
load().catch((error) => postMessage({ kind: "failed", message: String(error.message ?? error) }));

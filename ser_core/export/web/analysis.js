// From samples to a prediction, as the Python package does it: resampling, quality, speech,
// windows, calibration, the clip over time. Nothing here touches the page or the network.

export const RATE = 16000;

// ---- resampling -----------------------------------------------------------------------------

function besselI0(x) {
  let sum = 1, term = 1;
  for (let k = 1; term > 1e-12 * sum; k++) { term *= (x / (2 * k)) ** 2; sum += term; }
  return sum;
}

const gcd = (a, b) => (b ? gcd(b, a % b) : a);

/** Change the rate of one channel: a Kaiser-windowed sinc, flat to 0.91 of half the lower rate. */
export function resample(samples, rate, wanted = RATE) {
  if (rate === wanted) return samples;
  const common = gcd(rate, wanted);
  const up = wanted / common, down = rate / common;
  const lower = Math.min(rate, wanted);
  const cutoff = (0.9565 * lower) / rate; // of half the source's rate
  const half = Math.ceil((76 * rate) / lower);
  const beta = 10.06; // 100 dB
  const table = new Map();
  const taps = (phase) => {
    let row = table.get(phase);
    if (!row) {
      row = new Float64Array(2 * half);
      for (let i = 0; i < 2 * half; i++) {
        const t = i - half + 1 - phase / up;
        const x = Math.PI * cutoff * t, w = t / half;
        const sinc = x === 0 ? 1 : Math.sin(x) / x;
        row[i] = Math.abs(w) >= 1 ? 0 : cutoff * sinc * besselI0(beta * Math.sqrt(1 - w * w));
      }
      const norm = besselI0(beta);
      for (let i = 0; i < 2 * half; i++) row[i] /= norm;
      table.set(phase, row);
    }
    return row;
  };
  const out = new Float32Array(Math.round((samples.length * wanted) / rate));
  for (let n = 0; n < out.length; n++) {
    const place = n * down;
    const row = taps(place % up);
    const first = Math.floor(place / up) - half + 1;
    let sum = 0;
    const from = Math.max(0, -first), to = Math.min(2 * half, samples.length - first);
    for (let i = from; i < to; i++) sum += samples[first + i] * row[i];
    out[n] = sum;
  }
  return out;
}

/** Mix channels down by their mean. */
export function mono(channels) {
  if (channels.length === 1) return channels[0];
  const out = new Float32Array(channels[0].length);
  for (const channel of channels) for (let i = 0; i < out.length; i++) out[i] += channel[i];
  for (let i = 0; i < out.length; i++) out[i] /= channels.length;
  return out;
}

// ---- quality --------------------------------------------------------------------------------

const decibels = (amplitude) => (amplitude > 0 ? 20 * Math.log10(amplitude) : -Infinity);

export function duration(seconds) {
  if (seconds < 60) return `${Number(seconds.toPrecision(3))} s`;
  const whole = Math.floor(seconds);
  const parts = [[Math.floor(whole / 3600), "h"], [Math.floor((whole % 3600) / 60), "min"], [whole % 60, "s"]];
  return parts.filter(([number]) => number).map(([number, unit]) => `${number} ${unit}`).join(" ");
}

function frameLevels(samples, rate) {
  const length = Math.min(Math.max(1, Math.floor(0.05 * rate)), samples.length);
  const levels = new Float64Array(Math.floor(samples.length / length));
  for (let f = 0; f < levels.length; f++) {
    let sum = 0;
    for (let i = f * length; i < (f + 1) * length; i++) sum += samples[i] * samples[i];
    levels[f] = 10 * Math.log10(sum / length);
  }
  return levels;
}

function signalToNoise(levels) {
  const sorted = Float64Array.from(levels).sort();
  const at = (share) => sorted[Math.floor(share * (sorted.length - 1))];
  if (at(0.1) === -Infinity || levels.length < 8) return Infinity;
  return at(0.9) - at(0.1);
}

function clippedShare(channels) {
  let peak = 0;
  for (const channel of channels) for (const x of channel) peak = Math.max(peak, Math.abs(x));
  if (peak < 0.5) return 0;
  const level = 0.995 * peak;
  let count = 0, size = 0;
  for (const x of channels) {
    size += x.length;
    let run = 0;
    for (let i = 0; i < x.length; i++) {
      const flat = Math.abs(x[i]) >= level;
      run = flat ? (run && Math.sign(x[i]) === Math.sign(x[i - 1]) ? run + 1 : 1) : 0;
      if (run >= 3) count++;
    }
  }
  return count / size;
}

const turns = new Map(); // cosines and sines of a transform, by its length

function powerSpectrum(frame) { // of a length that is a power of two
  const n = frame.length;
  if (!turns.has(n)) {
    const angle = (k) => (-2 * Math.PI * k) / n;
    turns.set(n, [Float64Array.from({ length: n / 2 }, (_, k) => Math.cos(angle(k))),
      Float64Array.from({ length: n / 2 }, (_, k) => Math.sin(angle(k)))]);
  }
  const [cosine, sine] = turns.get(n);
  const re = Float64Array.from(frame), im = new Float64Array(n);
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) [re[i], re[j]] = [re[j], re[i]];
  }
  for (let size = 2; size <= n; size *= 2) {
    for (let start = 0; start < n; start += size) {
      for (let k = 0; k < size / 2; k++) {
        const c = cosine[(k * n) / size], s = sine[(k * n) / size];
        const a = start + k, b = a + size / 2;
        const x = re[b] * c - im[b] * s, y = re[b] * s + im[b] * c;
        re[b] = re[a] - x; im[b] = im[a] - y; re[a] += x; im[a] += y;
      }
    }
  }
  return Float64Array.from({ length: n / 2 + 1 }, (_, k) => re[k] * re[k] + im[k] * im[k]);
}

function bandwidth(samples, rate) {
  const length = (rate * 32) / 1000; // 512 at 16 kHz
  let count = Math.floor(samples.length / length);
  if (count === 0) return rate / 2;
  const step = Math.max(1, Math.floor(count / 2000));
  const powers = [];
  for (let f = 0; f < count; f += step) {
    const frame = new Float64Array(length);
    for (let i = 0; i < length; i++) {
      frame[i] = samples[f * length + i] * (0.5 - 0.5 * Math.cos((2 * Math.PI * i) / (length - 1)));
    }
    powers.push(powerSpectrum(frame));
  }
  const often = [];
  const rank = Math.floor(0.95 * (powers.length - 1));
  for (let k = 1; k <= length / 2; k++) {
    often.push(Float64Array.from(powers, (row) => row[k]).sort()[rank]);
  }
  const width = Math.max(1, Math.round((250 * length) / rate));
  const levels = [];
  for (let i = 0; i + width <= often.length; i += width) {
    levels.push(often.slice(i, i + width).reduce((a, b) => a + b, 0) / width);
  }
  const limit = 1e-5 * Math.max(...levels);
  let top = 0;
  levels.forEach((level, index) => { if (level >= limit) top = index + 1; });
  return Math.min((top * width * rate) / length, rate / 2);
}

const mean = (x) => { let sum = 0; for (const value of x) sum += value; return sum / x.length; };

function differentVoices(channels, rate) {
  const [a, b] = channels.map((x) => frameLevels(x, rate).map((level) => Math.max(level, -60)));
  const reach = (x) => x.reduce((most, y) => Math.max(most, y), -Infinity) - x.reduce((least, y) => Math.min(least, y), Infinity);
  if (a.length < 20 || Math.min(reach(a), reach(b)) < 10) return false;
  const [m, n] = [mean(a), mean(b)];
  let both = 0, one = 0, other = 0;
  a.forEach((x, i) => { both += (x - m) * (b[i] - n); one += (x - m) ** 2; other += (b[i] - n) ** 2; });
  return both / Math.sqrt(one * other) < 0.1;
}

/** Say what is wrong with a clip: `{warnings, reject}`. */
export function inspect(channels, rate = RATE) {
  const seconds = channels[0].length / rate;
  const means = channels.map(mean);
  const centred = channels.map((x, index) => x.map((value) => value - means[index]));
  const peaks = centred.map((x) => x.reduce((most, value) => Math.max(most, Math.abs(value)), 0));
  const loudest = centred[peaks.indexOf(Math.max(...peaks))];
  const levels = frameLevels(loudest, rate);
  const top = levels.reduce((most, level) => Math.max(most, level), -Infinity);
  const silent = top < -75;
  if (seconds < 0.3) {
    return { warnings: [], reject: `The clip is too short: ${duration(seconds)}, and at least 0.3 s are needed. Record a word or a sentence.` };
  }
  if (silent) {
    const heard = top < -120 ? "nothing at all" : `at most ${top.toFixed(0)} dBFS`;
    return { warnings: [], reject: `The clip is silent (${heard}). Check the microphone and record it again.` };
  }
  const warnings = [];
  const offset = Math.max(...means.map(Math.abs));
  if (offset > 0.02) {
    warnings.push(`The signal is off centre (a constant of ${(100 * offset).toFixed(0)} % of full scale): the sound card or microphone adds a direct current.`);
  }
  if (channels.length > 1) {
    const dead = centred.map((x, index) => [index + 1, frameLevels(x, rate).every((level) => level < -60)]).filter(([, still]) => still).map(([place]) => place);
    if (dead.length && dead.length < channels.length) {
      warnings.push(`${dead.length === 1 ? "Channel" : "Channels"} ${dead.join(", ")} of ${channels.length} ${dead.length === 1 ? "is" : "are"} silent.`);
    }
    if (channels.length === 2 && !dead.length && differentVoices(centred, rate)) {
      warnings.push("The two channels hold different sound, like the two sides of a call; they were mixed. Split them to judge each voice by itself.");
    }
  }
  if (seconds < 1) warnings.push(`The clip is short (${duration(seconds)}): a whole sentence tells more.`);
  const clipped = clippedShare(channels);
  if (clipped >= 0.001) {
    warnings.push(`The recording is clipped: ${(100 * clipped).toFixed(1)} % of it sits at full scale. Turn the microphone down or step back.`);
  }
  let square = 0;
  for (const x of loudest) square += x * x;
  const level = decibels(Math.sqrt(square / loudest.length));
  if (level < -55) warnings.push(`The recording is very quiet (${level.toFixed(0)} dBFS). Turn the microphone up or come closer.`);
  const snr = signalToNoise(levels);
  if (snr < 10) warnings.push(`The voice stands only about ${Math.max(snr, 0).toFixed(0)} dB above the background: noise, music or hall may mislead the model.`);
  const width = bandwidth(loudest, rate);
  if (width <= 4250) warnings.push(`The sound ends near ${(width / 1000).toFixed(1)} kHz, as over a telephone: the model gets less than it was trained on.`);
  return { warnings, reject: null };
}

// ---- speech ---------------------------------------------------------------------------------

/** Bring a quiet clip up, as the detector expects; null where there is nothing to hear. */
export function levelled(samples) {
  let peak = 0;
  for (const x of samples) peak = Math.max(peak, Math.abs(x));
  if (peak < 1e-4) return null;
  return peak < 0.1 ? samples.map((x) => x * Math.fround(0.5 / peak)) : samples;
}

/** Stretches of speech, [start, end] in samples, from the probability of each 512 samples. */
export function stretches(probabilities, samples, threshold = 0.5) {
  const found = [];
  let start = -1, quiet = -1;
  for (let place = 0; place < probabilities.length; place++) {
    const now = place * 512, probability = probabilities[place];
    if (probability >= threshold) {
      quiet = -1;
      if (start < 0) start = now;
    } else if (probability < Math.max(threshold - 0.15, 0.01) && start >= 0) {
      if (quiet < 0) quiet = now;
      if (now - quiet >= 2400) {
        if (quiet - start > 1600) found.push([start, quiet]);
        start = quiet = -1;
      }
    }
  }
  if (start >= 0 && samples - start > 1600) found.push([start, samples]);
  const before = found.map(([first], index) =>
    Math.min(index ? Math.floor((first - found[index - 1][1]) / 2) : first, 800));
  return found.map(([first, end], index) => [
    first - before[index],
    Math.min(samples, end + (index + 1 < found.length ? before[index + 1] : 800)),
  ]);
}

// ---- windows --------------------------------------------------------------------------------

export function windowStarts(samples, window, hop) {
  if (samples <= window) return [0];
  const starts = [];
  for (let start = 0; start <= samples - window; start += hop) starts.push(start);
  if (starts.at(-1) !== samples - window) starts.push(samples - window);
  return starts;
}

function spokenShare(segments, start, end) {
  let held = 0;
  for (const [a, b] of segments) held += Math.max(0, Math.min(end, b) - Math.max(start, a));
  return end > start ? held / (end - start) : 0;
}

/** Which windows the network is asked about: `[{first, end, speech, judged}]`. */
export function planWindows(samples, segments, { window, rate, trim }) {
  let first = 0, end = samples;
  if (trim && segments.length) {
    first = Math.max(0, Math.round((segments[0][0] - 0.1) * rate));
    end = Math.min(samples, Math.round((segments.at(-1)[1] + 0.1) * rate));
  }
  const starts = windowStarts(end - first, window, Math.max(1, Math.floor(window / 2)));
  const plan = starts.map((start) => {
    const a = first + start, b = Math.min(a + window, end);
    const speech = spokenShare(segments, a / rate, b / rate);
    return { first: a, end: b, speech, judged: speech >= 0.15 };
  });
  if (!plan.some((one) => one.judged)) {
    plan.reduce((best, one) => (one.speech > best.speech ? one : best)).judged = true;
  }
  return plan;
}

// ---- calibration ----------------------------------------------------------------------------

export function softmax(logits, temperature = 1) {
  const top = Math.max(...logits);
  const shares = Array.from(logits, (x) => Math.exp((x - top) / temperature));
  const sum = shares.reduce((a, b) => a + b, 0);
  return shares.map((x) => x / sum);
}

export function entropy(probabilities) {
  const nats = probabilities.reduce((sum, p) => (p > 0 ? sum - p * Math.log(p) : sum), 0);
  return Math.min(1, Math.max(0, Math.round((nats / Math.log(probabilities.length)) * 1e9) / 1e9));
}

function energy(logits) {
  const top = Math.max(...logits);
  return top + Math.log(logits.reduce((sum, x) => sum + Math.exp(x - top), 0));
}

function conformalSet(probabilities, threshold) {
  const order = probabilities.map((_, index) => index).sort((a, b) => probabilities[b] - probabilities[a] || a - b);
  let above = 0;
  const held = [];
  for (const index of order) {
    if (above <= threshold) held.push(index);
    above += probabilities[index];
  }
  return held.length ? held : [order[0]];
}

// ---- the answer -----------------------------------------------------------------------------

const rounded = (x, digits) => Number(x.toFixed(digits));
const named = (emotions, row) => Object.fromEntries(emotions.map((e, i) => [e, rounded(row[i], 6)]));
const largest = (row) => row.indexOf(Math.max(...row));

/** Put a prediction together, with the keys of `python -m ser_core predict --json`.
 *  `byWindow` holds one row of logits for each judged window, in order. */
export function prediction(model, clip, { segments, plan, byWindow, warnings, abstained }) {
  const { emotions, calibration } = model;
  const even = emotions.map(() => 1 / emotions.length);
  let row = even, shares = even, reason = abstained, held = emotions.map((_, i) => i);
  if (!abstained) {
    row = emotions.map((_, i) => byWindow.reduce((sum, one) => sum + one[i], 0) / byWindow.length);
    shares = softmax(row, calibration.temperature);
    held = conformalSet(shares, calibration.conformal_threshold);
    if (calibration.energy_limit !== null && energy(row) < calibration.energy_limit) {
      reason = "This does not sound like the speech that the model was trained on.";
    } else if (entropy(shares) > calibration.entropy_limit) {
      reason = "Several emotions are about equally likely.";
    }
  }
  let next = 0;
  const windows = plan.map(({ first, end, speech, judged }) => {
    const told = !abstained && judged;
    const probabilities = told ? softmax(byWindow[next++], calibration.temperature) : even;
    return { start: first / RATE, end: end / RATE, emotion: told ? emotions[largest(probabilities)] : null, probabilities, speech };
  });
  const top = largest(shares);
  const seconds = clip.samples / RATE;
  return {
    file: clip.name,
    emotion: abstained ? null : emotions[top],
    confidence: rounded(shares[top], 6),
    probabilities: named(emotions, shares),
    entropy: rounded(entropy(shares), 6),
    unsure: reason ?? null,
    conformal_set: held.map((i) => emotions[i]),
    windows: windows.map((one) => ({
      start: rounded(one.start, 3), end: rounded(one.end, 3), emotion: one.emotion,
      probabilities: named(emotions, one.probabilities), speech: rounded(one.speech, 3),
    })),
    warnings,
    model: { name: model.name, version: model.version },
    seconds: rounded(seconds, 3),
    sha256: clip.sha256,
    summary: summarise(emotions, windows, segments, seconds, calibration.entropy_limit),
  };
}

// ---- the clip over time ---------------------------------------------------------------------

function spoken(found, speech) {
  return found.map(({ start, end }) =>
    speech.reduce((sum, [a, b]) => sum + Math.max(0, Math.min(end, b) - Math.max(start, a)), 0));
}

/** Overlapping windows as blocks side by side; a block without speech has no emotion. */
export function blocks(emotions, windows, speech) {
  const edges = [...new Set(windows.flatMap((one) => [one.start, one.end]))].sort((a, b) => a - b);
  const rows = windows.map((one) =>
    Array.isArray(one.probabilities) ? one.probabilities : emotions.map((e) => one.probabilities[e]));
  const found = [];
  for (let i = 0; i + 1 < edges.length; i++) {
    const [start, end] = [edges[i], edges[i + 1]];
    const over = windows.map((one, index) => index).filter((index) =>
      windows[index].start < end - 1e-9 && windows[index].end > start + 1e-9 && windows[index].emotion !== null);
    if (!over.length) { found.push({ start, end, emotion: null, probability: 0, entropy: 0 }); continue; }
    const row = emotions.map((_, e) => over.reduce((sum, index) => sum + rows[index][e], 0) / over.length);
    const top = largest(row);
    found.push({ start, end, emotion: emotions[top], probability: row[top], entropy: entropy(row) });
  }
  const held = spoken(found, speech);
  return found.map((block, i) => (held[i] > 0 ? block : { ...block, emotion: null, probability: 0, entropy: 0 }));
}

function summarise(emotions, windows, speech, seconds, limit) {
  const speaking = speech.reduce((sum, [a, b]) => sum + b - a, 0);
  if (windows.length < 2 || speaking <= 0) return null;
  const found = blocks(emotions, windows, speech);
  const held = spoken(found, speech);
  const total = (wanted) => found.reduce((sum, block, i) => (wanted(block) ? sum + held[i] : sum), 0);
  const doubtful = (block) => block.emotion !== null && block.entropy > limit;
  const longest = {};
  for (let i = 0; i < found.length;) {
    let j = i;
    while (j + 1 < found.length && found[j + 1].emotion === found[i].emotion) j++;
    const [start, end, name] = [found[i].start, found[j].end, found[i].emotion];
    const best = longest[name] ?? [0, 0];
    if (name !== null && end - start > best[1] - best[0]) longest[name] = [start, end];
    i = j + 1;
  }
  const shares = [];
  for (const name of new Set(found.map((block) => block.emotion))) {
    const own = name === null ? 0 : total((block) => block.emotion === name);
    if (own <= 0) continue;
    shares.push({
      emotion: name, seconds: rounded(own, 3), share: rounded(own / speaking, 4),
      unsure: rounded(total((block) => block.emotion === name && doubtful(block)) / own, 4),
      longest: { start: rounded(longest[name][0], 3), end: rounded(longest[name][1], 3) },
    });
  }
  shares.sort((a, b) => b.seconds - a.seconds);
  const told = found.filter((block, i) => block.emotion !== null && held[i] > 0);
  const changes = [];
  for (let i = 1; i < told.length; i++) {
    if (told[i].emotion !== told[i - 1].emotion) {
      changes.push({ at: rounded(told[i].start, 3), before: told[i - 1].emotion, after: told[i].emotion });
    }
  }
  return {
    speaking: rounded(speaking, 3), silent: rounded(Math.max(0, seconds - speaking), 3),
    unsure: rounded(total(doubtful) / speaking, 4),
    unjudged: rounded(total((block) => block.emotion === null) / speaking, 4),
    emotions: shares, changes,
  };
}

// ---- files ----------------------------------------------------------------------------------

/** Rate that a WAV or FLAC file was made at, by its head; null for anything else. */
export function rateInHead(bytes) {
  const view = new DataView(bytes);
  const word = (at) => (at + 4 <= view.byteLength ? String.fromCharCode(...new Uint8Array(bytes, at, 4)) : "");
  if (word(0) === "fLaC" && view.byteLength > 21) {
    return (view.getUint8(18) << 12) | (view.getUint8(19) << 4) | (view.getUint8(20) >> 4);
  }
  if (word(0) === "RIFF" && word(8) === "WAVE") {
    for (let at = 12; at + 16 <= view.byteLength; at += 8 + view.getUint32(at + 4, true)) {
      if (word(at) === "fmt ") return view.getUint32(at + 12, true);
    }
  }
  return null;
}

/** A 16-bit mono WAV file of samples, for the player. */
export function wav(samples, rate) {
  const view = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const text = (at, word) => [...word].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  text(0, "RIFF"); view.setUint32(4, 36 + 2 * samples.length, true); text(8, "WAVEfmt ");
  view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, 1, true);
  view.setUint32(24, rate, true); view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true); view.setUint16(34, 16, true);
  text(36, "data"); view.setUint32(40, 2 * samples.length, true);
  samples.forEach((x, i) => view.setInt16(44 + 2 * i, Math.max(-32768, Math.min(32767, Math.round(x * 32768))), true));
  return view.buffer;
}

/** The windows of a prediction as a table; names that a spreadsheet would run are defused. */
export function csv(emotions, told) {
  const cell = (value) => {
    const text = String(value ?? "");
    const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const head = ["file", "start", "end", "emotion", "speech", ...emotions.map((e) => `p_${e}`)];
  const rows = told.windows.map((one) =>
    [told.file, one.start, one.end, one.emotion, one.speech, ...emotions.map((e) => one.probabilities[e])]);
  return [head, ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

/* The microphone of the Live tab. One piece of sound is on its way at a time: what is heard
   meanwhile goes with the next one, so that nothing queues up and nothing is lost. */
window.serLive = (() => {
  const HOP = 0.5, PATIENCE = 15000, LONGEST = 6;
  const WORKLET = "registerProcessor('ser-tap', class extends AudioWorkletProcessor {" +
    "constructor() { super(); this.held = new Float32Array(2048); this.at = 0; }" +
    "process(inputs) { const input = inputs[0][0]; if (!input) return true;" +
    "this.held.set(input, this.at); this.at += input.length;" +
    "if (this.at >= 2048) { this.port.postMessage(this.held.slice()); this.at = 0; } return true; } });";
  let send, context, stream, held = [], count = 0, number = 0, first = true, waiting = 0, piece = 0;
  let running = false, ages = [], level = 0, skipped = 0;
  const part = (name) => document.querySelector(`#live-panel .${name}`);
  const tell = (text) => { const note = part("live-notice"); if (note) { note.textContent = text; note.hidden = !text; } };
  const say = (text, values) => window.serPage.say(text, values);
  const reasons = {
    NotAllowedError: "The microphone was refused. Allow it for this page in the browser's address bar, then press Start again.",
    SecurityError: "The microphone was refused. Allow it for this page in the browser's address bar, then press Start again.",
    NotFoundError: "No microphone was found. Plug one in, then press Start again.",
    NotReadableError: "The microphone can't be read; perhaps another program holds it. Close that, then press Start again.",
  };
  const sentence = (error) => reasons[error.name] ? say(reasons[error.name])
    : say("The microphone can't be used ({name}).", { name: error.message || error.name });
  const paint = () => {
    const button = part("live-toggle");
    if (!button) return;
    button.setAttribute("aria-pressed", String(running));
    button.querySelector(".says").textContent = running ? say("Stop") : say("Start");
    document.documentElement.classList.toggle("live-on", running);
  };
  const base64 = (pcm) => {
    const bytes = new Uint8Array(pcm.buffer);
    let text = "";
    for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
    return btoa(text);
  };
  const flush = () => {
    if (!running || !count) return;
    if (waiting && performance.now() - waiting < PATIENCE) return;
    if (count < HOP * context.sampleRate) return;
    const pcm = new Int16Array(count);
    let at = 0;
    for (const sound of held) for (const value of sound) pcm[at++] = Math.max(-32768, Math.min(32767, Math.round(value * 32767)));
    piece = count / context.sampleRate; held = []; count = 0;
    waiting = performance.now();
    send(JSON.stringify({ number: ++number, first, rate: context.sampleRate, pcm: base64(pcm) }));
    first = false;
  };
  const take = (sound) => {
    if (!running) return;
    held.push(sound); count += sound.length;
    /* the server is away for long: keep the newest few seconds, drop the stale ones */
    while (count > LONGEST * context.sampleRate) { const old = held.shift().length; count -= old; skipped += old; }
    let peak = 0;
    for (const value of sound) peak = Math.max(peak, Math.abs(value));
    level = Math.max(peak, level * 0.92);
    const bar = part("live-meter");
    if (bar) bar.firstElementChild.style.width = `${Math.min(100, Math.sqrt(level) * 100).toFixed(0)}%`;
    flush();
  };
  const answered = () => {
    const shown = document.querySelector("#live-view .live");
    if (!shown || !waiting || Number(shown.dataset.number) !== number) return;
    waiting = 0;
    if (!shown.dataset.until) { stop(); return; }
    /* The newest sound in this answer was captured when it was sent; the oldest, a piece before. */
    const age = count / context.sampleRate + (context.baseLatency || 0);
    ages.push([age, age + piece]); if (ages.length > 1200) ages.shift();
    const said = part("live-latency");
    if (said) said.textContent = say("At most {seconds} s from sound to label, of which the model {took} ms",
      { seconds: (age + piece).toFixed(1), took: shown.dataset.took || 0 });
    flush();
  };
  const start = async () => {
    if (running) return;
    tell("");
    if (!navigator.mediaDevices || !window.AudioWorkletNode) {
      tell(say("This browser gives no microphone here. Open the page by https, or on the machine it runs on."));
      return;
    }
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false } });
      context = new AudioContext();
      const url = URL.createObjectURL(new Blob([WORKLET], { type: "text/javascript" }));
      await context.audioWorklet.addModule(url);
      URL.revokeObjectURL(url);
      const tap = new AudioWorkletNode(context, "ser-tap", { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
      tap.port.onmessage = (event) => take(event.data);
      context.createMediaStreamSource(stream).connect(tap);
      stream.getAudioTracks()[0].addEventListener("ended", () => {
        if (running) { stop(); tell(say("The microphone went away. Plug it in again, then press Start.")); }
      });
    } catch (error) {
      close();
      tell(sentence(error));
      return;
    }
    held = []; count = waiting = skipped = 0; ages = []; first = running = true;
    paint();
  };
  const close = () => {
    if (stream) stream.getTracks().forEach((track) => track.stop());
    if (context && context.state !== "closed") context.close();
    stream = null;
  };
  const stop = () => { running = false; close(); paint(); const bar = part("live-meter"); if (bar) bar.firstElementChild.style.width = "0"; };
  const attach = (element, trigger) => {
    send = (value) => trigger("select", { value });
    element.addEventListener("click", (event) => { if (event.target.closest(".live-toggle")) running ? stop() : start(); });
    paint();
  };
  /* goes to another tab */
  const visit = (name) => { stop(); return window.serPage.visit(name); };
  /* the recording goes into Recognise as if it had been uploaded there */
  const open = async (file) => {
    if (!file || !file.url) return;
    const data = await (await fetch(file.url)).blob();
    await visit("recognise");
    await window.serRecognise.give([new File([data], "live recording.wav", { type: "audio/wav" })]);
  };
  const watch = () => new MutationObserver(() => { if (running) answered(); }).observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ["data-number"] });
  document.body ? watch() : document.addEventListener("DOMContentLoaded", watch);
  window.addEventListener("pagehide", stop);
  return { attach, open, visit, start, stop, ages: () => ages.slice(), skipped: () => skipped };
})();

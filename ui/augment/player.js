/* A and B at the same position. props.original and props.value are JSON {sound: data URI, dbfs}.
   Both run together and one is muted, so that a switch neither jumps nor waits. The longer one
   leads: it stands first, where the playhead of the picture looks for it. Nothing is made louder
   unless a person asks for both to be played equally loud, and then the louder one is lowered. */
const root = element.querySelector(".ab");
const say = (text, values) => window.serPage.say(text, values);
const holder = root.querySelector(".ab-sounds");
const [a, b] = [...holder.querySelectorAll("audio")];
const play = root.querySelector(".ab-play");
const swap = root.querySelector(".ab-swap");
const even = root.querySelector(".ab-even input");
const seek = root.querySelector(".ab-seek");
const clock = root.querySelector(".ab-clock");
const choices = [...root.querySelectorAll(".ab-which input")];
const level = { a: null, b: null };
let heard = "b";

root.querySelector("legend").textContent = say("What is heard");
swap.title = say("Switch at the same position (X)");
seek.setAttribute("aria-label", say("Position"));
root.querySelector(".ab-even span").textContent = say("Play both equally loud (lowers the louder one)");
[say("original"), say("augmented")].forEach((name, place) => {
  choices[place].nextSibling.textContent = "AB"[place] + " " + name;
});

const leader = () => holder.querySelector("audio");
const other = () => (leader() === a ? b : a);
const lead = () => {
  const first = (b.duration || 0) > (a.duration || 0) ? b : a;
  if (leader() === first) return;
  const at = leader().currentTime, on = !leader().paused;
  holder.prepend(first);
  first.currentTime = Math.min(at, first.duration || 0);
  if (on) first.play();
};
const loud = () => {
  const quieter = Math.min(level.a ?? -Infinity, level.b ?? -Infinity);
  for (const [name, sound] of [["a", a], ["b", b]]) {
    sound.muted = heard !== name;
    const lowered = even.checked && Number.isFinite(quieter) ? 10 ** ((quieter - level[name]) / 20) : 1;
    sound.volume = Math.min(Math.max(lowered, 0), 1);
  }
};
const hear = (name) => {
  heard = name;
  choices.forEach((choice) => { choice.checked = choice.value === name; });
  loud();
};
const match = (force) => {
  const [first, second] = [leader(), other()];
  const at = Math.min(first.currentTime, second.duration || 0);
  if (force || Math.abs(second.currentTime - at) > 0.04) second.currentTime = at;
};
const start = async () => {
  match(true);
  if (leader().ended || leader().currentTime >= (leader().duration || 0) - 0.02) { leader().currentTime = 0; match(true); }
  try { await Promise.all([leader().play(), other().currentTime < other().duration ? other().play() : null]); }
  catch (error) { if (error.name !== "AbortError") clock.textContent = say("This browser does not play: {reason}", { reason: error.message }); }
};
const tick = () => {
  if (!root.isConnected) return;
  const first = leader(), length = first.duration || 0;
  if (!first.paused) match(false);
  seek.max = length || 1;
  if (document.activeElement !== seek || !first.paused) seek.value = first.currentTime;
  const words = say("{part} of {whole}", { part: first.currentTime.toFixed(1), whole: length.toFixed(1) + " s" });
  if (clock.dataset.words !== words) { clock.dataset.words = clock.textContent = words; seek.setAttribute("aria-valuetext", words); }
  const sign = first.paused ? "▶ " + say("Play") : "❚❚ " + say("Pause");
  if (play.textContent !== sign) play.textContent = sign;
  requestAnimationFrame(tick);
};
for (const sound of [a, b]) {
  sound.addEventListener("seeking", () => { if (sound === leader()) match(true); });
  sound.addEventListener("play", () => { if (sound === leader() && other().paused && other().currentTime < (other().duration || 0)) other().play().catch(() => {}); });
  sound.addEventListener("pause", () => { if (sound === leader() && !sound.ended) other().pause(); });
  sound.addEventListener("loadedmetadata", () => { lead(); loud(); });
}
play.addEventListener("click", () => (leader().paused ? start() : leader().pause()));
swap.addEventListener("click", () => hear(heard === "a" ? "b" : "a"));
choices.forEach((choice) => choice.addEventListener("change", () => hear(choice.value)));
even.addEventListener("change", loud);
seek.addEventListener("input", () => { leader().currentTime = Number(seek.value); });
const load = (sound, name, text) => {
  if (!text) return;
  const held = JSON.parse(text);
  if (sound.dataset.stamp === held.stamp) return;
  const at = leader().currentTime, on = !leader().paused;
  sound.dataset.stamp = held.stamp;
  level[name] = held.dbfs;
  sound.src = held.sound;
  root.querySelector(".ab-level-" + name).textContent = held.words;
  sound.addEventListener("loadedmetadata", () => {
    sound.currentTime = Math.min(at, sound.duration);
    if (on) start();
  }, { once: true });
};
const refresh = () => { load(a, "a", props.original); load(b, "b", props.value); };
hear("b");
refresh();
watch(["value", "original"], refresh);
tick();

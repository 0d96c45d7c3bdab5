/* Segments of the clip on Recognise, under its emotions; what one does with them is ../segments.js's. */
(() => {
  const say = (text) => window.serPage.say(text);
  const card = () => document.querySelector("#recognise-segments .segments");
  const answer = () => document.querySelector("#answer [data-clip]")?.dataset.clip ?? "";
  /* The answer that stood there when a decision was sent; until the next one it is on its way. */
  let sent = "";
  const segments = window.serSegments.add({
    name: "recognise",
    card,
    sound: () => document.querySelector("#clip audio:not(.unplayable)"),
    picture: () => document.getElementById("picture"),
    undo: "undo",
    remove: "recognise-remove",
    busy: () => sent !== "" && card()?.dataset.turn === sent,
    accept: (emotion) => document.getElementById(`choose-${emotion}`)?.click(),
    idle: () => say("Drag on the wave or on the picture to label a part of the clip; without one, the emotion is the whole clip's."),
  });
  window.serSegments.recognise = {
    /* The clip that a press is for, and its chosen segment. A segment of a clip that is not the
       answer's any more takes its own clip along, so that it is refused and labels no other. */
    ticket() {
      segments.follow();
      sent = card()?.dataset.turn ?? "";
      const chosen = segments.chosen();
      return (chosen ? segments.clip() : answer()) + chosen;
    },
  };
})();

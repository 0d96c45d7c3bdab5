/* Where the segments of the Label tab are; what one does with them is ../segments.js's. */
window.serSegments.label = window.serSegments.add({
  name: "label",
  card: () => document.querySelector("#label-card .clip-card"),
  sound: () => document.querySelector("#label-card .clip-card audio"),
  picture: () => document.getElementById("label-picture"),
  suggested: () => document.querySelector("#label-suggested [data-for]"),
  undo: "label-undo",
  remove: "label-remove",
  busy: () => window.serLabel.busy(),
  off: () => document.getElementById("label-help")?.open,
  early: () => window.serLabel.ignore(),
  taken: () => window.serLabel.taken(),
});

/* Keys, playhead and seeking. Buttons are found by class, so that any tab can have keys:
   a visible button of class key-Digit3 is pressed by 3 (also on the number pad), key-KeyU by u. */
(() => {
  const texts = new Set(["text", "search", "email", "number", "password", "url", "tel", "date", "time", ""]);
  const typing = (el) =>
    el && (el.isContentEditable || el.tagName === "TEXTAREA" || el.tagName === "SELECT" ||
      (el.tagName === "INPUT" && texts.has((el.getAttribute("type") || "").toLowerCase())));
  const seen = (el) => el.offsetParent !== null && !el.disabled;

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || typing(document.activeElement)) return;
    const code = event.code.replace(/^Numpad(\d)$/, "Digit$1");
    const button = [...document.querySelectorAll(`button.key-${CSS.escape(code)}, .key-${CSS.escape(code)} button`)].find(seen);
    if (!button) return;
    event.preventDefault();
    button.click();
  });

  /* the sign of a key stands on its button */
  const label = (button) => {
    const found = [...button.classList].find((name) => name.startsWith("key-"));
    if (!found || button.dataset.key) return;
    const sign = found.slice(4).replace(/^(Digit|Key)/, "");
    button.dataset.key = sign;
    button.setAttribute("aria-keyshortcuts", sign);
  };

  /* A recorder that gets no microphone says nothing by itself. */
  const media = navigator.mediaDevices;
  const reasons = {
    NotAllowedError: "The browser was not allowed to use the microphone. Allow it for this page (the sign beside the address), or upload a file.",
    NotFoundError: "No microphone was found. Connect one, or upload a file.",
    NotReadableError: "The microphone is in use elsewhere. Close the other program, or upload a file.",
  };
  const told = (text) => {
    document.querySelectorAll(".mic-told").forEach((note) => {
      note.textContent = text;
      note.hidden = !text;
    });
  };
  if (media && media.getUserMedia) {
    const ask = media.getUserMedia.bind(media);
    media.getUserMedia = async (wanted) => {
      try {
        const stream = await ask(wanted);
        told("");
        return stream;
      } catch (error) {
        told(reasons[error.name] || `The microphone can't be used (${error.name}). Upload a file.`);
        throw error;
      }
    };
  }

  /* A button of class seek moves the sound that the nearest figure follows. */
  document.addEventListener("click", (event) => {
    const button = event.target.closest && event.target.closest("button.seek[data-seek]");
    if (!button) return;
    const figure = [...document.querySelectorAll(".picture")].find((one) => seen(one) && soundOf(one));
    const sound = figure && soundOf(figure);
    if (sound && Number.isFinite(sound.duration)) sound.currentTime = Math.min(Number(button.dataset.seek), sound.duration);
  });

  /* A figure of class picture-of-<name> follows the sound in #sound-<name>. */
  const soundOf = (figure) => {
    const found = [...figure.classList].find((name) => name.startsWith("follows-"));
    const holder = found && document.getElementById(found.slice(8));
    return holder && holder.querySelector("audio");
  };
  const axisOf = (plot) => plot._fullLayout && plot._fullLayout.xaxis;
  const extent = (plot) => {
    const size = plot._fullLayout._size;
    return { top: size.t, height: size.h };
  };
  const place = (plot, line, seconds) => {
    const axis = axisOf(plot);
    if (!axis || !axis._length) return;
    const x = axis._offset + axis.d2p(seconds);
    const { top, height } = extent(plot);
    line.style.cssText = `left:${x}px;top:${top}px;height:${height}px`;
  };
  const seek = (figure, plot, seconds) => {
    const sound = soundOf(figure);
    const axis = axisOf(plot);
    const end = axis.range[1];
    const at = Math.min(Math.max(seconds, 0), end);
    if (sound && Number.isFinite(sound.duration)) sound.currentTime = Math.min(at, sound.duration);
    return at;
  };
  const attach = (figure) => {
    const plot = figure.querySelector(".js-plotly-plot");
    if (!plot || !axisOf(plot)) return;
    if (plot.serFollow) { plot.serFollow(); return; }
    const line = document.createElement("div");
    line.className = "playhead";
    plot.append(line);
    plot.tabIndex = 0;
    plot.setAttribute("role", "slider");
    plot.setAttribute("aria-label", "Position in the clip; arrow keys move it, space plays");
    plot.setAttribute("aria-valuemin", "0");
    const tell = (seconds) => {
      const axis = axisOf(plot);
      plot.setAttribute("aria-valuemax", axis.range[1].toFixed(2));
      plot.setAttribute("aria-valuenow", seconds.toFixed(2));
      plot.setAttribute("aria-valuetext", `${seconds.toFixed(1)} seconds`);
    };
    plot.addEventListener("click", (event) => {
      const axis = axisOf(plot);
      const x = event.clientX - plot.getBoundingClientRect().left - axis._offset;
      if (x < 0 || x > axis._length) return;
      place(plot, line, seek(figure, plot, axis.p2d(x)));
    }, true);
    plot.addEventListener("keydown", (event) => {
      const sound = soundOf(figure);
      if (!sound) return;
      const step = { ArrowLeft: -0.5, ArrowRight: 0.5, PageUp: -5, PageDown: 5 }[event.key];
      if (event.key === " ") sound.paused ? sound.play() : sound.pause();
      else if (event.key === "Home") seek(figure, plot, 0);
      else if (event.key === "End") seek(figure, plot, Infinity);
      else if (step) seek(figure, plot, sound.currentTime + step);
      else return;
      event.preventDefault();
    });
    /* Frame by frame only while the sound plays; a page that is only looked at stays at rest. */
    let looping = false;
    const follow = () => {
      looping = false;
      if (!plot.isConnected || !axisOf(plot)) return;
      const sound = soundOf(figure);
      const now = sound ? sound.currentTime : 0;
      if (!line.isConnected) plot.append(line);
      place(plot, line, now);
      tell(now);
      if (!sound || sound.paused || sound.ended) return;
      looping = true;
      requestAnimationFrame(follow);
    };
    plot.serFollow = () => { if (!looping) follow(); };
    new ResizeObserver(plot.serFollow).observe(plot);
    follow();
  };
  const followAll = () => document.querySelectorAll(".picture .js-plotly-plot").forEach((plot) => plot.serFollow && plot.serFollow());
  for (const name of ["play", "seeking", "seeked", "timeupdate", "loadedmetadata", "emptied"])
    document.addEventListener(name, followAll, true);

  let due = false;
  const refresh = () => {
    due = false;
    document.querySelectorAll("button[class*='key-']").forEach(label);
    document.querySelectorAll('.picture[class*="follows-"]').forEach(attach);
  };
  const start = () => {
    new MutationObserver(() => {
      if (due) return;
      due = true;
      setTimeout(refresh, 120);
    }).observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ["class"] });
    refresh();
  };
  document.body ? start() : document.addEventListener("DOMContentLoaded", start);
})();

/* Segments on the picture of a clip, over its waveform and its mel spectrogram: a stretch is dragged
   there, its edges are moved and it is chosen as on the wave, which stays the one that holds them.

   serSegmentsPicture(tab) follows the figure of class picture in which the tab's segments lie. A tab is {
     figure(): the figure, or null; seconds(): length of the clip whose segments lie there, 0 = none;
     regions(): the segments in order, each with start and end; look(region): its style;
     create(start, end), move(region, span, edge), choose(region) }. */
window.serSegmentsPicture = (tab) => {
  const EDGE = matchMedia("(pointer: coarse)").matches ? 14 : 7;
  const FAR = 4; /* pixels; less is a click, which seeks */
  const LEAST = 0.05;
  let plot = null, layer = null, drawn = "", held = null;

  const axis = () => plot?._fullLayout?.xaxis;
  /* The picture may still be the one of the clip before. */
  const ready = () => {
    const seconds = tab.seconds(), range = axis()?.range;
    return Boolean(seconds && range && plot.isConnected && !plot.closest(".of-another") && Math.abs(range[1] - seconds) < 0.1);
  };
  const timeAt = (event) => {
    const { _offset: left, _length: length } = axis();
    const x = event.clientX - plot.getBoundingClientRect().left - left;
    return { inside: x >= 0 && x <= length, at: Math.min(Math.max(axis().p2d(x), 0), tab.seconds()) };
  };
  const second = () => axis()._length / (axis().range[1] - axis().range[0]); /* in pixels */

  const draw = () => {
    if (!layer) return;
    const now = ready() ? tab.regions() : [], size = plot._fullLayout?._size, length = tab.seconds();
    const spans = now.map((region) => (held?.region === region && held.span) || [region.start, region.end]);
    if (held?.span && !held.region) { now.push(null); spans.push(held.span); }
    const place = now.length ? `left:${axis()._offset}px;width:${axis()._length}px;top:${size.t}px;height:${size.h}px` : "";
    const styles = spans.map(([start, end], which) =>
      `left:${(100 * start) / length}%;width:${(100 * (end - start)) / length}%;${now[which] ? tab.look(now[which]) : ""}`);
    const text = [place, ...styles].join("|");
    if (text === drawn && layer.isConnected) return;
    drawn = text;
    layer.style.cssText = place;
    layer.hidden = !styles.length;
    layer.replaceChildren(...styles.map((style) => { const part = document.createElement("i"); part.style.cssText = style; return part; }));
    if (!layer.isConnected) plot.append(layer);
  };

  /* What lies under the pointer: an edge of a segment, the inside of one, or nothing. The shortest
     of several is meant, as the longer ones can be taken hold of elsewhere. */
  const under = (at) => {
    const near = EDGE / second();
    const some = tab.regions().sort((one, other) => one.end - one.start - (other.end - other.start));
    const hit = some
      .flatMap((region) => [{ region, edge: "start" }, { region, edge: "end" }])
      .map((one) => ({ ...one, far: Math.abs(one.region[one.edge] - at) }))
      .filter((one) => one.far <= near)
      .sort((one, other) => one.far - other.far)[0];
    if (hit) return hit;
    const region = some.find((one) => one.start <= at && at <= one.end);
    return { region: region ?? null, edge: "" };
  };
  const spanAt = (at) => {
    const { region, edge, from } = held;
    if (!region) return [Math.min(from, at), Math.max(from, at)];
    if (edge === "start") return [Math.min(at, region.end - LEAST), region.end];
    if (edge === "end") return [region.start, Math.max(at, region.start + LEAST)];
    const by = Math.min(Math.max(at - from, -region.start), tab.seconds() - region.end);
    return [region.start + by, region.end + by];
  };
  const down = (event) => {
    if (event.button || !event.isPrimary || !ready() || event.target.closest("button, a")) return;
    const { inside, at } = timeAt(event);
    if (inside) held = { ...under(at), from: at, x: event.clientX, pointer: event.pointerId, span: null };
  };
  const moved = (event) => {
    if (!held) {
      if (plot && event.target instanceof Element && plot.contains(event.target) && ready()) {
        const { inside, at } = timeAt(event);
        plot.classList.toggle("on-edge", inside && Boolean(under(at).edge));
      }
      return;
    }
    if (event.pointerId !== held.pointer) return;
    if (!ready()) { held = null; return; }
    if (!held.span && Math.abs(event.clientX - held.x) < FAR) return;
    held.span = spanAt(timeAt(event).at);
    draw();
  };
  let handled = false;
  const up = (event) => {
    if (!held || event.pointerId !== held.pointer) return;
    const { region, edge, span } = held;
    held = null;
    /* The click that follows would seek. */
    handled = Boolean(span || region);
    if (!ready()) { draw(); return; }
    if (span && !region) { if (span[1] - span[0] >= LEAST) tab.create(...span); }
    else if (span) tab.move(region, span, edge);
    else if (region) tab.choose(region);
    draw();
  };
  document.addEventListener("pointermove", moved, true);
  document.addEventListener("pointerup", up, true);
  document.addEventListener("pointercancel", () => { held = null; draw(); }, true);
  document.addEventListener("pointerdown", () => { handled = false; }, true);
  document.addEventListener("click", (event) => {
    if (!handled || !plot?.contains(event.target)) return;
    handled = false;
    event.stopImmediatePropagation();
  }, true);

  /* Plotly covers the page while a button is down and makes the click itself. */
  const alone = (event) => { if (ready() && !event.target.closest("button, a")) event.stopPropagation(); };

  const follow = () => {
    const found = tab.figure()?.querySelector(".js-plotly-plot") ?? null;
    if (found !== plot) {
      layer?.remove();
      plot = found;
      held = null;
      drawn = "";
      layer = null;
      if (!plot) return;
      layer = document.createElement("div");
      layer.className = "segments-over";
      layer.setAttribute("aria-hidden", "true");
      plot.addEventListener("pointerdown", down, true);
      for (const kind of ["mousedown", "touchstart"]) plot.addEventListener(kind, alone, { capture: true, passive: true });
      new ResizeObserver(() => { drawn = ""; draw(); }).observe(plot);
    }
    plot?.classList.toggle("takes-segments", ready());
    draw();
  };
  return { follow, draw };
};

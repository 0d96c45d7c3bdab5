/* Every figure can be saved as it is seen: PNG or SVG. */
(() => {
  const SPACE = "http://www.w3.org/2000/svg";
  const KEPT = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray", "opacity", "font-family", "font-size", "font-weight", "text-anchor", "visibility", "display"];
  /* The colours come from the page's style sheet, which no file brings along. */
  const dress = (from, to) => {
    const style = getComputedStyle(from);
    to.setAttribute("style", KEPT.map((name) => `${name}:${style.getPropertyValue(name)}`).join(";"));
    [...from.children].forEach((child, place) => dress(child, to.children[place]));
  };
  const svgOf = (plot) => {
    const { width, height } = plot.getBoundingClientRect();
    const root = document.createElementNS(SPACE, "svg");
    root.setAttribute("xmlns", SPACE);
    root.setAttribute("width", width);
    root.setAttribute("height", height);
    const ground = document.createElementNS(SPACE, "rect");
    ground.setAttribute("width", "100%");
    ground.setAttribute("height", "100%");
    ground.setAttribute("fill", getComputedStyle(plot.closest(".picture")).backgroundColor);
    root.append(ground);
    plot.querySelectorAll(".main-svg").forEach((layer) => {
      const copy = layer.cloneNode(true);
      dress(layer, copy);
      copy.querySelectorAll(".hoverlayer, .zoomlayer").forEach((one) => one.remove());
      root.append(copy);
    });
    return new Blob([new XMLSerializer().serializeToString(root)], { type: "image/svg+xml" });
  };
  const pngOf = async (plot) => {
    const { width, height } = plot.getBoundingClientRect();
    const picture = new Image();
    const address = URL.createObjectURL(svgOf(plot));
    picture.src = address;
    await picture.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [2 * width, 2 * height];
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
    URL.revokeObjectURL(address);
    return new Promise((done) => canvas.toBlob(done, "image/png"));
  };
  const save = async (plot, kind) => {
    const data = await (kind === "svg" ? svgOf(plot) : pngOf(plot));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(data);
    link.download = `${plot.closest(".picture").id || "picture"}.${kind}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };
  window.serPictures = {
    /* Give a figure its two buttons, once. */
    equip(figure) {
      if (figure.querySelector(":scope > .picture-tools")) return;
      const tools = document.createElement("p");
      tools.className = "picture-tools";
      for (const kind of ["png", "svg"]) {
        const button = document.createElement("button");
        button.type = "button";
        button.className = "seek";
        button.textContent = kind.toUpperCase();
        button.title = kind === "png" ? window.serPage.say("Save this picture as PNG") : window.serPage.say("Save this picture as SVG");
        button.setAttribute("aria-label", button.title);
        button.addEventListener("click", () => {
          const plot = figure.querySelector(".js-plotly-plot");
          if (plot) save(plot, kind);
        });
        tools.append(button);
      }
      figure.append(tools);
    },
  };
})();

/* Chromium loses a FLAC file in which somebody jumps to its last frames: its demuxer can't seek there,
   and the player ends with an error. A sound that played until then is decoded as a whole and goes on
   from the same place as WAV. */
(() => {
  const LONGEST = 600;
  const known = new WeakMap();
  const wav = (found) => {
    const { numberOfChannels: channels, sampleRate: rate, length } = found;
    const bytes = new DataView(new ArrayBuffer(44 + 2 * channels * length));
    const text = (at, letters) => [...letters].forEach((one, place) => bytes.setUint8(at + place, one.charCodeAt(0)));
    text(0, "RIFF");
    bytes.setUint32(4, bytes.byteLength - 8, true);
    text(8, "WAVEfmt ");
    bytes.setUint32(16, 16, true);
    bytes.setUint16(20, 1, true);
    bytes.setUint16(22, channels, true);
    bytes.setUint32(24, rate, true);
    bytes.setUint32(28, 2 * channels * rate, true);
    bytes.setUint16(32, 2 * channels, true);
    bytes.setUint16(34, 16, true);
    text(36, "data");
    bytes.setUint32(40, bytes.byteLength - 44, true);
    for (let channel = 0; channel < channels; channel++) {
      const samples = found.getChannelData(channel);
      for (let place = 0; place < length; place++)
        bytes.setInt16(44 + 2 * (place * channels + channel), Math.max(-1, Math.min(1, samples[place])) * 32767, true);
    }
    return new Blob([bytes], { type: "audio/wav" });
  };
  const mend = async (sound, source, at, on) => {
    const decoder = new OfflineAudioContext(1, 1, 44100);
    const data = await (await fetch(source)).arrayBuffer();
    const address = URL.createObjectURL(wav(await decoder.decodeAudioData(data)));
    if (sound.src !== source) return URL.revokeObjectURL(address);  /* another clip is there by now */
    sound.addEventListener("loadedmetadata", () => {
      sound.currentTime = Math.min(at, sound.duration);
      if (on) sound.play().catch(() => {});
    }, { once: true });
    sound.src = address;
  };
  const note = (event) => {
    const sound = event.target;
    if (!(sound instanceof HTMLMediaElement)) return;
    if (event.type === "loadedmetadata") known.set(sound, { source: sound.src, seconds: sound.duration, at: 0 });
    else if (known.has(sound)) known.get(sound).at = sound.currentTime;
  };
  for (const name of ["loadedmetadata", "seeking"]) document.addEventListener(name, note, true);
  window.serPlayback = {
    /* Take on a player that ended with an error, and return whether that is possible; `lost` is called
       where it fails after all. */
    mends(sound, lost) {
      const was = known.get(sound);
      if (!was || was.source !== sound.src || was.source.startsWith("blob:") || was.seconds > LONGEST) return false;
      known.delete(sound);
      mend(sound, was.source, was.at, !sound.paused).catch(lost);
      return true;
    },
  };
})();

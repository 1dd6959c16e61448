// A few notes, made when they are needed. Browsers allow sound after the first touch.

let audio;

export function note(...pitches) {
  try {
    audio ??= new AudioContext();
    pitches.forEach((pitch, i) => {
      const from = audio.currentTime + i * 0.07, o = audio.createOscillator(), g = audio.createGain();
      o.type = "triangle";
      o.frequency.value = pitch;
      g.gain.setValueAtTime(0.07, from);
      g.gain.exponentialRampToValueAtTime(0.0001, from + 0.22);
      o.connect(g).connect(audio.destination);
      o.start(from);
      o.stop(from + 0.24);
    });
  } catch { /* there is no sound here */ }
}

/** Five short sounds, made on the spot: nothing is fetched for them. A browser lets none pass before the first click. */

const TONES = { // [hertz, begins at, lasts] in seconds
  drop: [[988, 0, 0.14], [659, 0.09, 0.22]],
  bell: [[1047, 0, 0.55], [1568, 0.01, 0.4]],
  knock: [[210, 0, 0.07], [190, 0.16, 0.08]],
  rise: [[523, 0, 0.12], [659, 0.1, 0.12], [784, 0.2, 0.26]],
  chime: [[784, 0, 0.4], [988, 0.16, 0.4], [1319, 0.32, 0.6]],
};
const LOUDEST = 0.4;
let context;

/** Plays one at 0 to 100; false when the browser blocks it. */
export async function play(name, volume) {
  context ??= new AudioContext();
  // `resume` waits for a click for ever.
  await Promise.race([context.resume(), new Promise((done) => { setTimeout(done, 200); })]);
  if (context.state !== 'running') return false;
  for (const [hertz, after, lasts] of TONES[name] ?? TONES.bell) tone(hertz, context.currentTime + after, lasts, volume);
  return true;
}

function tone(hertz, at, lasts, volume) {
  const source = new OscillatorNode(context, { type: 'sine', frequency: hertz });
  const gain = new GainNode(context, { gain: 0 });
  gain.gain.setValueAtTime(0, at);
  gain.gain.linearRampToValueAtTime((volume / 100) * LOUDEST, at + 0.01);
  gain.gain.exponentialRampToValueAtTime(0.0001, at + lasts);
  source.connect(gain).connect(context.destination);
  source.start(at);
  source.stop(at + lasts);
}

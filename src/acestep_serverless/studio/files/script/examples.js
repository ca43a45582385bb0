// What can one start from? A handful of requests that sound different from each other.

import { byId, h } from "./dom.js";

export const FIRST = { caption: "Warm lo-fi hip hop, dusty drums, soft electric piano, rainy night", duration: 20 };

const EXAMPLES = [
  ["Rainy lo-fi", FIRST],
  ["Neon synth pop", { caption: "Upbeat synth pop, bright arpeggios, punchy drums, night drive", duration: 30, bpm: 118 }],
  ["Bossa at dusk", { caption: "Bossa nova, nylon guitar, brushed drums, upright bass, relaxed", duration: 30, key_scale: "D minor" }],
  ["Film score", { caption: "Cinematic orchestral trailer music, strings and brass, slowly rising", duration: 45 }],
  ["Deep techno", { caption: "Deep techno, rolling bass, hypnotic percussion, warehouse", duration: 30, bpm: 128 }],
  ["Song with words", {
    caption: "Indie folk song, acoustic guitar, warm voice, hopeful",
    lyrics: "[Verse]\nThe kettle hums, the street is white\nA yellow bus turns on its light\n\n[Chorus]\nCarry me home, slow and bright\nCarry me home tonight",
    duration: 40,
    vocal_language: "en",
  }],
];

/** Show a button for each example; `take` is called with its input. */
export function showExamples(take) {
  const button = ([title, input]) => h("button", { type: "button", class: "chip", on: { click: () => take(input) } }, title);
  byId("examples").replaceChildren(...EXAMPLES.map(button));
}

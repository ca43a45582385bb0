// How does a song come here? Fetched once, with the key, into a blob; its outline is decoded when it is first seen.

import { addressOf, BASE, send } from "./api.js";

const BARS = 160;
/** Samples a second in which outlines are computed: enough for loudness, and ten minutes take 40 MB for a moment. */
const RATE = 8000;
/** Larger files are outlined only once they were fetched to be heard. */
const LARGEST_UNASKED = 24_000_000;

/** Blobs whose addresses are held; the oldest is let go. */
const MOST_HELD = 40;

/** One song's sound; `item` is an entry of `results`. */
export class Sound {
  static held = [];
  static line = Promise.resolve();

  constructor(item) {
    this.item = item;
  }

  /** Whether this gateway has the file: else its link leads to a bucket, which the page may not fetch from. */
  get isHere() {
    return isOurs(this.item.url ?? this.item.file);
  }

  get link() {
    return /^https?:/.test(this.item.url ?? "") ? this.item.url : null;
  }

  get isSmall() {
    return (this.item.bytes ?? 0) <= LARGEST_UNASKED;
  }

  /** Give the file as a blob. @returns {Promise<Blob>} */
  blob() {
    this.fetched ??= send(this.item.url ?? this.item.file)
      .then((answer) => answer.blob())
      .catch((error) => {
        this.fetched = null;
        throw error;
      });
    return this.fetched;
  }

  /** Give an address that an audio element can play. */
  async address() {
    if (!this.object) {
      this.object = URL.createObjectURL(await this.blob());
      Sound.held.push(this);
      if (Sound.held.length > MOST_HELD) Sound.held.shift().#letGo();
    }
    return this.object;
  }

  #letGo() {
    URL.revokeObjectURL(this.object);
    this.object = this.fetched = null;
  }

  /** Give the outline: BARS loudnesses from 0 to 1. One file is decoded at a time, over all songs. */
  outline() {
    this.drawn ??= Sound.line = Sound.line.catch(() => {}).then(() => this.#decode());
    this.drawn.catch(() => (this.drawn = null));
    return this.drawn;
  }

  async #decode() {
    const bytes = await (await this.blob()).arrayBuffer();
    const decoded = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(bytes);
    return outlineOf(decoded);
  }
}

/** Give a file that lies beside a song (`midi`, `lrc`): from the result itself, or from the gateway. */
export async function besideBlob(entry) {
  if (typeof entry.base64 === "string") {
    const bytes = Uint8Array.from(atob(entry.base64), (letter) => letter.charCodeAt(0));
    return new Blob([bytes], { type: entry.content_type });
  }
  return (await send(entry.url ?? entry.file)).blob();
}

/** Tell whether a file beside a song can be had: it came along, or this gateway has it. */
export const canHave = (entry) => Boolean(entry) && (typeof entry.base64 === "string" || isOurs(entry.url ?? entry.file));

/** Tell whether this gateway has the file: elsewhere the page may not fetch, and no key is sent there. */
export function isOurs(path) {
  if (typeof path !== "string" || !path) return false;
  try {
    const address = /^https?:/.test(path) ? new URL(path) : addressOf(path);
    return address.origin === BASE.origin && address.pathname.includes("/v1/audio");
  } catch {
    return false;
  }
}

function outlineOf(decoded) {
  const samples = decoded.getChannelData(0);
  const width = Math.max(1, Math.floor(samples.length / BARS));
  const bars = Array.from({ length: BARS }, (_, bar) => {
    let sum = 0;
    for (let index = bar * width; index < (bar + 1) * width; index += 1) sum += (samples[index] ?? 0) ** 2;
    return Math.sqrt(sum / width);
  });
  const loudest = Math.max(...bars, 1e-6);
  return bars.map((bar) => bar / loudest);
}

// Where does each input field stand on the page? What everybody needs first, the rest folded into groups.

/** Fields that are always open, in their order. */
export const SIMPLE = ["caption", "lyrics", "duration", "batch_size"];

/** Folded groups: title, a sentence, fields. A field of the schema that no group names comes into the last one. */
export const GROUPS = [
  ["Music", "Tempo, key and language; left open, the engine chooses what suits.", ["bpm", "key_scale", "time_signature", "vocal_language"]],
  ["Seed and file", "The same seed makes the same song again.", ["seed", "audio_format", "model", "use_random_seed"]],
  [
    "Work on audio",
    "Cover, repaint and the like start from a song that exists.",
    [
      ...["task_type", "src_audio", "reference_audio", "repainting_start", "repainting_end", "repaint_mode", "repaint_strength"],
      ...["repaint_latent_crossfade_frames", "repaint_wav_crossfade_sec", "chunk_mask_mode", "audio_cover_strength"],
      ...["cover_noise_strength", "track_name", "track_classes", "global_caption", "instruction", "audio_code_string"],
    ],
  ],
  [
    "Language model",
    "It can plan the song, or write and polish its words.",
    [
      ...["thinking", "sample_mode", "sample_query", "use_format", "use_cot_caption", "use_cot_language", "is_format_caption"],
      ...["lm_temperature", "lm_cfg_scale", "lm_negative_prompt", "lm_top_k", "lm_top_p", "lm_repetition_penalty"],
      ...["constrained_decoding", "constrained_decoding_debug", "allow_lm_batch", "lm_model_path", "lm_backend"],
    ],
  ],
  [
    "Diffusion",
    "How the model walks from noise to sound.",
    [
      ...["inference_steps", "guidance_scale", "shift", "infer_method", "use_adg", "cfg_interval_start", "cfg_interval_end"],
      ...["timesteps", "use_tiled_decode", "lora", "lora_scale"],
    ],
  ],
  ["Words in place of songs", "Analyses end with text instead of audio.", ["analysis_only", "full_analysis_only", "extract_codes_only"]],
  ["The job", "How long to wait, and what comes back.", ["timeout_seconds", "poll_interval", "return_audio_base64", "max_base64_bytes"]],
];

const OTHER = ["More", "Fields that this page has no place for.", []];

/** Long texts get several lines. */
export const LONG_TEXTS = new Set(["caption", "lyrics", "global_caption", "instruction", "sample_query", "audio_code_string"]);

/** Fields that take a file from this machine too. */
export const SOUNDS = new Set(["src_audio", "reference_audio"]);

const TITLES = {
  caption: "What should it sound like?",
  duration: "Duration (seconds)",
  batch_size: "Songs",
  bpm: "Tempo (bpm)",
  key_scale: "Key",
  time_signature: "Beats in a bar",
  vocal_language: "Language of the lyrics",
  use_random_seed: "Random seed",
  audio_format: "File format",
  src_audio: "Audio to work on",
  reference_audio: "Audio to sound like",
  use_adg: "Adaptive dual guidance",
  lora: "Adapter (LoRA)",
  lora_scale: "Adapter strength",
};

/** Give a field's title: its own, or its name in words. */
export function titleOf(name) {
  const words = name.replace(/^lm_/, "language model ").replace(/_sec$/, " (s)").replaceAll("_", " ").replace("cfg", "guidance");
  return TITLES[name] ?? words[0].toUpperCase() + words.slice(1);
}

/**
 * Lay out a schema: groups of fields that do something here, then one of those the engine makes nothing of.
 * @returns {{title: string, sentence: string, names: string[], idle: boolean}[]}
 */
export function layOut(properties, engine) {
  const idle = (name) => properties[name]["x-used"] === false;
  const known = new Set([...SIMPLE, ...GROUPS.flatMap((group) => group[2])]);
  const others = Object.keys(properties).filter((name) => !known.has(name));
  const groups = [...GROUPS, [OTHER[0], OTHER[1], others]].map(([title, sentence, names]) => ({
    title,
    sentence,
    names: names.filter((name) => name in properties && !idle(name)),
    idle: false,
  }));
  const onAudio = groups.find((group) => group.names.join() === "task_type");
  if (onAudio) onAudio.names = []; // Where there is one task only, there is nothing to choose.
  const unused = Object.keys(properties).filter((name) => (idle(name) || (onAudio && name === "task_type")) && !SIMPLE.includes(name));
  const sentence = `The ${engine} engine makes nothing of these: it says so in the song's notes, or refuses them.`;
  groups.push({ title: "Not for this engine", sentence, names: unused, idle: true });
  return groups.filter((group) => group.names.length > 0);
}

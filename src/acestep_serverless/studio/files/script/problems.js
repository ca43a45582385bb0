// Which field is wrong? Read from the sentences of the API, which name each field, and seen at once where it is plain.

/**
 * Take the API's error apart: "duration: must be ..., got 0; bpm: must be ..." gives [["duration", "must be ..."], ...].
 * Empty when no known field is named.
 * @returns {[string, string][]}
 */
export function problemsIn(error, names) {
  const found = [];
  for (const part of String(error).split(/;\s+(?=[a-z_0-9]+: )/)) {
    const match = /^([a-z_0-9]+): ([^]+)$/.exec(part);
    if (match && names.has(match[1])) found.push([match[1], match[2]]);
  }
  return found;
}

/** What the page can tell before it asks: a missing caption, a number out of its range. The API judges the rest. */
export function plainProblems(input, properties) {
  const found = [];
  const wordless = input.sample_mode || input.sample_query || input.full_analysis_only || input.extract_codes_only;
  if (!String(input.caption ?? "").trim() && !wordless && input.task_type !== "extract") {
    found.push(["caption", "must be a non-blank string: say what the song is to sound like"]);
  }
  for (const [name, value] of Object.entries(input)) {
    const { minimum, maximum, type } = properties[name] ?? {};
    const sentence = `must be ${properties[name]?.["x-allowed"]}, got ${value}`;
    if (minimum === undefined || Array.isArray(value)) continue;
    if (typeof value !== "number" || value < minimum || value > maximum) found.push([name, sentence]);
    else if ([type].flat().includes("integer") && !Number.isInteger(value)) found.push([name, sentence]);
  }
  return found;
}

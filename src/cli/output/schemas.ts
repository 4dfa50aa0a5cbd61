import type { AnswerName } from './answers/by-verb.ts';

/**
 * Format numbers of answers, if not 1. A new key, or a new word in a list of words, does not change the
 * format; a removed or renamed key, another type or another meaning needs the next number.
 */
const formats: Partial<Record<AnswerName, number>> = {};

export function formatOf(name: AnswerName): number {
  return formats[name] ?? 1;
}

/** The `$id` of a schema. */
export function idOf(name: AnswerName): string {
  return `urn:bofh:${wordOf(name)}:${String(formatOf(name))}`;
}

/** The file with the JSON Schema of an answer; the build copies it to the directory of the code. */
export function schemaUrl(name: AnswerName): URL {
  return new URL(`./schemas/${wordOf(name)}.json`, import.meta.url);
}

function wordOf(name: AnswerName): string {
  return name.replaceAll(/ (?:--)?/g, '-');
}

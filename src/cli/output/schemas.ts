import type { AnswerName } from './answers/by-verb.ts';

/**
 * Formats of answers that are not 1. A new key, or a new word in a list of words, leaves the format
 * as it is; a removed or renamed key, another type or another meaning is the next format.
 */
const formats: Partial<Record<AnswerName, number>> = {};

export function formatOf(name: AnswerName): number {
  return formats[name] ?? 1;
}

/** The `$id` of a schema. */
export function idOf(name: AnswerName): string {
  return `urn:bofh:${wordOf(name)}:${String(formatOf(name))}`;
}

/** The file with the JSON Schema of an answer; the build puts it beside its code too. */
export function schemaUrl(name: AnswerName): URL {
  return new URL(`./schemas/${wordOf(name)}.json`, import.meta.url);
}

function wordOf(name: AnswerName): string {
  return name.replaceAll(/ (?:--)?/g, '-');
}

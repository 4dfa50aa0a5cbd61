import { structuredPatch } from 'diff';
import type { HostChange } from '../../../provision/apply.ts';

/** A unified diff of the contents of a file. Undefined if there is no content to show, or if it is not text. */
export function diffOf({ name, action, content }: HostChange): string | undefined {
  if (content === undefined) return undefined;
  const [before, after] = [textOf(content.before), textOf(content.after)];
  if (before === undefined || after === undefined) return undefined;
  const { hunks } = structuredPatch(name, name, before, after, undefined, undefined, { context: 3 });
  if (hunks.length === 0) return undefined;
  return [
    `--- ${action === 'create' ? '/dev/null' : name}`,
    `+++ ${name}`,
    ...hunks.flatMap(({ oldStart, oldLines, newStart, newLines, lines }) => [
      `@@ -${rangeOf(oldStart, oldLines)} +${rangeOf(newStart, newLines)} @@`,
      ...lines,
    ]),
  ].join('\n');
}

/** The lines of a hunk. As in diff(1), an empty range begins after the line before it. */
function rangeOf(start: number, lines: number): string {
  return `${String(lines === 0 ? start - 1 : start)},${String(lines)}`;
}

/** The text of bytes; undefined for bytes that are not UTF-8, or contain NUL. */
function textOf(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return text.includes('\0') ? undefined : text;
  } catch {
    return undefined;
  }
}

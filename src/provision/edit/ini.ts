import { isRecord, type Revealed } from '../plain.ts';
import { lineAt, type Syntax, Unparsed } from './text.ts';

/** A line with its end, or several lines of one value. */
interface Entry {
  readonly text: string;
  readonly section: string;
  readonly key?: string;
  /** Null: the key has no value. */
  readonly value?: string | null;
  readonly isHeader?: true;
}

/**
 * Sections of keys; keys before the first section belong to the root. A repeated key is an array.
 */
export const ini: Syntax = {
  empty: '',
  parse: (text) => {
    const bare = (): Record<string, unknown> => Object.create(null) as Record<string, unknown>;
    const root = bare();
    for (const { section, key, value = null, isHeader } of entries(text)) {
      if (isHeader === true) root[section] ??= bare();
      if (key === undefined) continue;
      const into = section === '' ? root : root[section];
      if (!isRecord(into)) throw new Unparsed(1, `${section} is both a key and a section`);
      const [all, now] = [into as Record<string, unknown>, into[key]];
      all[key] = now === undefined ? value : [...(Array.isArray(now) ? (now as unknown[]) : [now]), value];
    }
    return root;
  },
  set: (text, path, value) => {
    const all = [...entries(text)];
    const end = text.includes('\r\n') ? '\r\n' : '\n';
    const [key = '', section = ''] = path.toReversed();
    if (isRecord(value)) return joined([...all.map((each) => each.text), `[${key}]${end}`], end);
    refuseLines(all, section, key);
    const old = all.filter((each) => each.section === section && each.key === key);
    if (old.length > 1 && !Array.isArray(value))
      throw new Error(`the file has it ${String(old.length)} times`);
    const like =
      old[0] ??
      all.findLast((each) => each.section === section && each.key !== undefined) ??
      all.find((each) => typeof each.value === 'string');
    const { indent = '', separator = ' = ' } =
      /^(?<indent>[ \t]*)[^=:]*?(?<separator>[ \t]*(?:=|:(?=\s))[ \t]*)/.exec(like?.text ?? '')?.groups ?? {};
    const lines = (Array.isArray(value) ? (value as readonly Revealed[]) : [value]).map((each) =>
      each === null ? `${indent}${key}${end}` : `${indent}${key}${separator}${each as string}${end}`,
    );
    const [first] = old;
    if (first !== undefined)
      return joined(
        all.flatMap((each) => (each === first ? lines : old.includes(each) ? [] : [each.text])),
        end,
      );
    const after = all.findLastIndex(
      (each) => each.section === section && (each.key !== undefined || each.isHeader),
    );
    const texts = all.map((each) => each.text);
    if (after >= 0) return joined(texts.toSpliced(after + 1, 0, ...lines), end);
    if (section === '') return joined([...lines, ...texts], end);
    return joined([...texts, ...(texts.length === 0 ? [] : [end]), `[${section}]${end}`, ...lines], end);
  },
  remove: (text, path) => {
    const [key = '', section = ''] = path.toReversed();
    const all = [...entries(text)];
    refuseLines(all, section, key);
    const isSection = path.length === 1 && !all.some((each) => each.section === '' && each.key === key);
    return all
      .filter((each, index) => {
        if (!isSection) return each.section !== section || each.key !== key;
        // Lines after the last key may belong to the next section.
        const last = all.findLastIndex(
          (one) => one.section === key && (one.key !== undefined || one.isHeader),
        );
        return each.section !== key || index > last;
      })
      .map((each) => each.text)
      .join('');
  },
};

/**
 * Throws for a value with an indented line, which some programs read as a part of the value, and
 * others as a key.
 */
function refuseLines(all: readonly Entry[], section: string, key: string): void {
  for (const each of all) {
    if (each.section !== section || each.key === undefined) continue;
    const [, ...more] = each.text.trimEnd().split('\n');
    if (more.some((line) => each.key === key || /^[^\s=:]*/.exec(line.trim())?.[0] === key))
      throw new Error(`the value of ${each.key} has several lines`);
  }
}

/**
 * Joins lines. A file without a newline at its end still has none; a line that is not the last gets
 * one.
 */
function joined(lines: readonly string[], end: string): string {
  return lines
    .map((line, index) => (index < lines.length - 1 && !line.endsWith('\n') ? `${line}${end}` : line))
    .join('');
}

function* entries(text: string): Generator<Entry> {
  let section = '';
  let open: { entry: Entry & { readonly value: string | null }; indent: number } | undefined;
  for (const match of text.matchAll(/[^\n]*\n|[^\n]+$/g)) {
    const [line] = match;
    const content = line.replace(/\r?\n$/, '');
    const trimmed = content.trim();
    const indent = content.length - content.trimStart().length;
    if (open !== undefined) {
      const isBackslash = open.entry.text.replace(/\r?\n$/, '').endsWith('\\');
      if (isBackslash || (trimmed !== '' && indent > open.indent && !/^[#;]/.test(trimmed))) {
        const { entry } = open;
        open.entry = { ...entry, text: `${entry.text}${line}`, value: `${entry.value ?? ''}\n${trimmed}` };
        continue;
      }
      yield open.entry;
      open = undefined;
    }
    if (trimmed === '' || /^[#;!]/.test(trimmed)) {
      yield { text: line, section };
      continue;
    }
    const header = /^\[(?<name>[^\]]+)\]\s*(?:[#;].*)?$/.exec(trimmed)?.groups?.name;
    if (header !== undefined) {
      section = header;
      yield { text: line, section, isHeader: true };
      continue;
    }
    const { key, value } =
      /^(?<key>[^\s=:[](?:[^=:]|:(?=\S))*?)\s*(?:=|:(?=\s|$))\s*(?<value>.*)$/.exec(trimmed)?.groups ?? {};
    if (key !== undefined && value !== undefined)
      open = { entry: { text: line, section, key, value }, indent };
    else if (/^[^\s=:[\]]+$/.test(trimmed))
      open = { entry: { text: line, section, key: trimmed, value: null }, indent };
    else throw new Unparsed(lineAt(text, match.index), 'this is not a section, key or comment');
  }
  if (open !== undefined) yield open.entry;
}

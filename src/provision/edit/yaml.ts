import {
  isAlias,
  isMap,
  isNode,
  isScalar,
  type Node,
  type Pair,
  parseDocument,
  stringify,
  type YAMLMap,
} from 'yaml';
import type { Revealed } from '../plain.ts';
import {
  addPair,
  indentOf,
  lineStart,
  nested,
  nextLine,
  removePair,
  splice,
  type Syntax,
  Unparsed,
} from './text.ts';

/** YAML 1.2. Quotes a text that YAML 1.1 would read as another type: `"yes"`. */
export const yaml: Syntax = {
  empty: '',
  parse: (text) => parsed(text).toJS() as unknown,
  set: (text, path, value) => {
    const { contents } = parsed(text);
    if (!isMap(contents)) {
      const lines = `${text === '' || text.endsWith('\n') ? '' : '\n'}${inYaml(nested(path, value), '  ')}`;
      return splice(text, [text.length, text.length], lines);
    }
    let map: YAMLMap = contents;
    for (const [depth, key] of path.entries()) {
      const [pair, rest] = [pairIn(map, key), path.slice(depth + 1)];
      if (pair === undefined) return added(text, map, key, nested(rest, value));
      if (rest.length === 0 || !isMap(pair.value)) {
        if (isAlias(pair.value) && rest.length > 0) throw new Error(`${key} is an alias`);
        return replaced(text, map, pair, nested(rest, value));
      }
      map = pair.value;
    }
    return text;
  },
  remove: (text, path) => {
    let map = parsed(text).contents;
    let parent: readonly [YAMLMap, Pair] | undefined;
    for (const key of path.slice(0, -1)) {
      if (!isMap(map)) return text;
      const pair = pairIn(map, key);
      if (pair === undefined || !isNode(pair.value)) return text;
      [parent, map] = [[map, pair], pair.value as typeof map];
    }
    if (!isMap(map)) return text;
    const pair = pairIn(map, path.at(-1) ?? '');
    if (pair === undefined) return text;
    if (map.items.length > 1) return removed(text, map, pair);
    if (parent !== undefined) return replaced(text, parent[0], parent[1], {});
    return splice(text, spanOf(map), map.flow === true ? '{}' : '{}\n');
  },
};

function parsed(text: string) {
  const document = parseDocument(text, { prettyErrors: true });
  const [error] = document.errors;
  if (error !== undefined)
    throw new Unparsed(
      error.linePos?.[0].line ?? 1,
      (error.message.split('\n')[0] ?? '').replace(/ at line \d+, column \d+:$/, ''),
    );
  return document;
}

function pairIn(map: YAMLMap, key: string): Pair | undefined {
  return map.items.find((each) => isScalar(each.key) && String(each.key.value) === key);
}

/** Returns where a node begins and ends, without the comment after it. */
function spanOf(node: unknown): readonly [number, number] {
  const range = isNode(node) ? (node as Node).range : undefined;
  if (range === undefined || range === null) throw new Error('a value without a place');
  return [range[0], range[1]];
}

function pairSpan({ key, value }: Pair) {
  return { start: spanOf(key)[0], end: spanOf(isNode(value) ? value : key)[1] };
}

function bracesOf(map: YAMLMap) {
  const [start, end] = spanOf(map);
  return { start, end, pairs: map.items.map(pairSpan) };
}

function inYaml(value: Revealed, indent: string): string {
  return stringify(value, { compat: 'yaml-1.1', lineWidth: 0, indent: Math.max(indent.length, 1) });
}

/** Formats a pair as lines, below the keys of its map. */
function block(text: string, map: YAMLMap, key: string, value: Revealed): string {
  const [first] = map.items;
  const column = first === undefined ? 0 : pairSpan(first).start - lineStart(text, pairSpan(first).start);
  return inYaml({ [key]: value }, indentOf(text)).replaceAll(/^(?=.)/gm, ' '.repeat(column));
}

function added(text: string, map: YAMLMap, key: string, value: Revealed): string {
  const last = map.items.at(-1);
  if (map.flow === true || last === undefined) {
    const braces = bracesOf(map);
    const pair = `${JSON.stringify(key)}: ${JSON.stringify(value)}`;
    return last === undefined
      ? splice(text, [braces.start, braces.end], `{ ${pair} }`)
      : addPair(text, braces, pair, '');
  }
  const { end } = pairSpan(last);
  const at = text[end - 1] === '\n' ? end : nextLine(text, end);
  const lines = block(text, map, key, value);
  return at === text.length && !text.endsWith('\n')
    ? splice(text, [at, at], `\n${lines.replace(/\n$/, '')}`)
    : splice(text, [at, at], lines);
}

function replaced(text: string, map: YAMLMap, pair: Pair, value: Revealed): string {
  const [start, end] = isNode(pair.value) ? spanOf(pair.value) : [spanOf(pair.key)[1], spanOf(pair.key)[1]];
  if (map.flow === true) return splice(text, [start, end], JSON.stringify(value));
  const isText = typeof value !== 'object' || value === null;
  // A quoted text of several lines needs no indentation.
  const inLine =
    typeof value === 'string' && value.includes('\n') ? JSON.stringify(value) : inYaml(value, '  ').trimEnd();
  const old = text.slice(start, end);
  if (isText && old !== '' && !old.includes('\n')) return splice(text, [start, end], inLine);
  const colon = text.indexOf(':', spanOf(pair.key)[1]) + 1;
  const rendered = isText ? ` ${inLine}` : afterKey(block(text, map, 'key', value));
  // Comments between the key and its value, which may be on several lines.
  const gap = old === '' ? '' : text.slice(colon, start).trimEnd();
  const comments = /^\s+#/.test(gap) && gap.split('\n').every((line) => /^\s*(?:#|$)/.test(line)) ? gap : '';
  const both = rendered.startsWith('\n') ? comments + rendered : rendered + comments;
  return splice(text, [colon, old === '' ? colon : end], `${both}${old.endsWith('\n') ? '\n' : ''}`);
}

function afterKey(lines: string): string {
  return lines.slice(lines.indexOf(':') + 1).replace(/\n$/, '');
}

function removed(text: string, map: YAMLMap, pair: Pair): string {
  const braces = bracesOf(map);
  const index = map.items.indexOf(pair);
  const [span, next] = [braces.pairs[index], braces.pairs[index + 1]];
  if (span === undefined) return text;
  if (map.flow === true) return removePair(text, braces, span);
  const start = lineStart(text, span.start);
  // The first key of a list element is after the dash.
  if (text.slice(start, span.start).trim() !== '' && next !== undefined)
    return splice(text, [span.start, next.start], '');
  return splice(text, [start, text[span.end - 1] === '\n' ? span.end : nextLine(text, span.end)], '');
}

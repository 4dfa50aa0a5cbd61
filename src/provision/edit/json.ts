import { getNodeValue, type Node, type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser';
import type { Revealed } from '../plain.ts';
import {
  addPair,
  indentOf,
  lineAt,
  lineStart,
  nested,
  removePair,
  splice,
  type Syntax,
  Unparsed,
} from './text.ts';

/** JSON, with or without comments. */
export const json: Syntax = {
  empty: '{}\n',
  parse: (text) => getNodeValue(tree(text)) as unknown,
  set: (text, path, value) => {
    const { node, rest, parent } = found(text, path);
    const indent = indentOf(text);
    if (rest.length === 0 || node.type !== 'object') {
      const start = lineStart(text, parent?.offset ?? node.offset);
      const outer = /^[ \t]*/.exec(text.slice(start))?.[0] ?? '';
      const part = inJson(nested(rest, value), indent, outer);
      return splice(text, [node.offset, node.offset + node.length], part);
    }
    const braces = bracesOf(node);
    const at = braces.pairs.at(-1)?.start;
    const outer =
      at === undefined
        ? `${/^[ \t]*/.exec(text.slice(lineStart(text, node.offset)))?.[0] ?? ''}${indent}`
        : (/^[ \t]*/.exec(text.slice(lineStart(text, at)))?.[0] ?? '');
    const [key = '', ...inner] = rest;
    const pair = `${JSON.stringify(key)}: ${inJson(nested(inner, value), indent, outer)}`;
    return addPair(text, braces, pair, indent);
  },
  remove: (text, path) => {
    const { parent } = found(text, path);
    const object = parent?.parent;
    if (parent === undefined || object === undefined) return text;
    const braces = bracesOf(object);
    const pair = braces.pairs[object.children?.indexOf(parent) ?? -1];
    if (pair === undefined) return text;
    const rest = text.slice(braces.start + 1, pair.start) + text.slice(pair.end, braces.end - 1);
    return braces.pairs.length === 1 && rest.trim() === ''
      ? splice(text, [braces.start, braces.end], '{}')
      : removePair(text, braces, pair);
  },
};

function inJson(value: Revealed, indent: string, outer: string): string {
  return JSON.stringify(value, undefined, indent).replaceAll('\n', `\n${outer}`);
}

function tree(text: string): Node {
  const errors: ParseError[] = [];
  const root = parseTree(text, errors);
  const [error] = errors;
  if (error !== undefined || root === undefined)
    throw new Unparsed(
      lineAt(text, error?.offset ?? 0),
      (error === undefined ? 'it is empty' : printParseErrorCode(error.error))
        .replaceAll(/(?<=[a-z])(?=[A-Z])/g, ' ')
        .toLowerCase(),
    );
  refuseTwice(text, root);
  return root;
}

/** Throws Unparsed if a key occurs twice, because programs disagree which one counts. */
function refuseTwice(text: string, node: Node): void {
  const keys = new Set<unknown>();
  for (const child of node.children ?? []) {
    refuseTwice(text, child);
    const key = child.type === 'property' ? child.children?.[0] : undefined;
    if (key === undefined) continue;
    if (keys.has(key.value))
      throw new Unparsed(lineAt(text, key.offset), `the key ${String(key.value)} is there twice`);
    keys.add(key.value);
  }
}

/** Returns the deepest existing value on a path, with its property, and the rest of the path. */
function found(text: string, path: readonly string[]) {
  let node = tree(text);
  let parent: Node | undefined;
  for (const [depth, key] of path.entries()) {
    const next =
      node.type === 'object' ? node.children?.find((each) => each.children?.[0]?.value === key) : undefined;
    const value = next?.children?.[1];
    if (next === undefined || value === undefined) return { node, parent, rest: path.slice(depth) };
    [node, parent] = [value, next];
  }
  return { node, parent, rest: [] };
}

function bracesOf({ offset, length, children = [] }: Node) {
  return {
    start: offset,
    end: offset + length,
    pairs: children.map((each) => ({ start: each.offset, end: each.offset + each.length })),
  };
}

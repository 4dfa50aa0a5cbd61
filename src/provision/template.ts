import { readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, extname, isAbsolute, resolve, sep } from 'node:path';
import { exposedHere } from '../command/index.ts';
import { UsageError } from '../core/errors.ts';
import type { Revealed } from './plain.ts';

/** A template and its variables. */
export interface WantedTemplate {
  /** Absolute path on the machine that bofh runs on. */
  readonly file: string;
  readonly data: Revealed;
}

/**
 * Limits, because a loop over a wrong range would end bofh: milliseconds, and number of characters
 * or elements.
 */
const limits = { renderLimit: 10_000, memoryLimit: 50_000_000 };

/**
 * Returns the result of a Liquid template. UsageError with file and line. A template can include
 * only files in its own directory and below it.
 */
export async function rendered({ file, data }: WantedTemplate, at: string): Promise<string> {
  const { Liquid, LiquidError } = await import('liquidjs');
  const texts = new Map<string, string>();
  const read = (path: string): string => {
    const text = textOf(path, at);
    texts.set(path, text);
    return text;
  };
  const isInside = (root: string, path: string): boolean =>
    realpathSync(path).startsWith(`${realpathSync(root)}${sep}`);
  const liquid = new Liquid({
    root: dirname(file),
    strictVariables: true,
    strictFilters: true,
    ownPropertyOnly: true,
    ...limits,
    outputEscape: asText,
    fs: {
      sep,
      dirname,
      resolve: (root, name, extension) => resolve(root, extname(name) === '' ? `${name}${extension}` : name),
      existsSync: isFile,
      exists: async (path) => isFile(path),
      containsSync: isInside,
      contains: async (root, path) => isInside(root, path),
      readFileSync: read,
      readFile: async (path) => read(path),
    },
  });
  try {
    return liquid.renderSync(liquid.parse(read(file), file), data as object) as string;
  } catch (error) {
    if (!LiquidError.is(error)) throw error;
    // The token of a variable has only the text of its file, not the path.
    const { token } = error;
    const from = token.file ?? [...texts].find(([, text]) => text === token.input)?.[0] ?? file;
    const why = (error.originalError ?? error).message.replace(
      /^ENOENT: Failed to lookup/,
      'there is no template',
    );
    throw new UsageError(`${from}:${String(token.getPosition()[0])}: ${why}`, {
      cause: error,
      remedy: `correct the template, or its data at ${at}`,
    });
  }
}

/** Returns the path of a template, relative to the file that names it. */
export function templatePath(name: string, at: string, what = 'template'): string {
  if (isAbsolute(name)) return name;
  const { file } = /^(?<file>\/.*):\d+$/.exec(at)?.groups ?? {};
  if (file === undefined)
    throw new UsageError(`the ${what} ${name} is a relative path, and the description has no file`, {
      remedy: 'give its absolute path',
    });
  return resolve(dirname(file), name);
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

/**
 * Reads a file that the description names. As with imports of a script, only files that only root
 * can write are allowed, because root writes their text to a host.
 */
export function textOf(path: string, at: string, what = 'template'): string {
  if (!isFile(path))
    throw new UsageError(`${at}: there is no ${what} ${path}`, { remedy: 'create it, or correct its path' });
  const described = at.replace(/:\d+$/, '');
  if (
    process.geteuid?.() === 0 &&
    (!isAbsolute(described) || exposedHere(described, 'content') === undefined)
  ) {
    const found = exposedHere(path, 'content');
    if (found !== undefined)
      throw new UsageError(`the ${what} ${path} is refused: ${found.at} ${found.why}`, {
        remedy: found.repair,
      });
  }
  const bytes = readFileSync(path);
  const text = bytes.toString('utf8');
  if (!Buffer.from(text).equals(bytes))
    throw new UsageError(`the ${what} ${path} is not UTF-8`, {
      remedy: `convert it: iconv --from-code=CHARSET --to-code=UTF-8 --output=NEW ${path}`,
    });
  return text;
}

/** Refuses an array or an object in `{{ … }}`: it would write a wrong text into the file. */
function asText(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return value.toString();
  throw new Error(
    `this is ${Array.isArray(value) ? 'an array' : 'an object'}: use a loop, or a filter such as join or json`,
  );
}

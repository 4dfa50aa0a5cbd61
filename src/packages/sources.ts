import { posix } from 'node:path';
import { type ReadHost, textOf } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';

/** The directory in which apt keeps the lists of its archives. */
export const listsDirectory = '/var/lib/apt/lists';

/** An archive, as a paragraph in the deb822 format of sources.list(5). */
export interface AptSource {
  readonly uris: readonly string[];
  readonly suites: readonly string[];
  readonly components: readonly string[];
}

/**
 * Returns the archives in a file `NAME.sources`. RefusedError if the file is missing or contains
 * none.
 */
export async function sourcesIn(host: ReadHost, file: string): Promise<readonly AptSource[]> {
  const found = parsedSources((await textOf(host, file)) ?? '');
  if (found.length === 0)
    throw new RefusedError(`${file} names no archive of apt`, {
      code: 'not-found',
      remedy: 'give the path of a file NAME.sources with URIs and Suites',
    });
  return found;
}

/** Parses the text of such a file. Leaves out the archives that it disables (`Enabled: no`). */
export function parsedSources(text: string): readonly AptSource[] {
  return text
    .replaceAll(/^#.*\n/gm, '')
    .split(/\n\s*\n/)
    .map((paragraph) => {
      const wordsOf = (field: string) =>
        new RegExp(`^${field}:(?<words>.*(?:\\n[ \\t].*)*)`, 'im')
          .exec(paragraph)
          ?.groups?.words?.trim()
          .split(/\s+/) ?? [];
      const isDisabled = /^(?:no|false|without|off|disable)$/i.test(wordsOf('Enabled')[0] ?? '');
      if (isDisabled) return { uris: [], suites: [], components: [] };
      return { uris: wordsOf('URIs'), suites: wordsOf('Suites'), components: wordsOf('Components') };
    })
    .filter(({ uris, suites }) => uris.length > 0 && suites.length > 0);
}

/**
 * Returns the names of the lists that apt has of these archives. apt has never read a suite without
 * a list.
 */
export async function listsOf(
  host: ReadHost,
  sources: readonly AptSource[],
  directory = listsDirectory,
): Promise<{ readonly names: readonly string[]; readonly isComplete: boolean }> {
  const all = (await host.stat(directory)) === undefined ? [] : await host.readDir(directory);
  const each = sources.flatMap(({ uris, suites, components }) =>
    uris.flatMap((uri) =>
      suites.map((suite) => {
        const start = prefixOf(uri, suite);
        const isOf = (name: string): boolean => {
          const rest = name.startsWith(start) ? name.slice(start.length) : '';
          const isRelease = /^(?:InRelease|Release(?:\.gpg)?)$/.test(rest);
          return (
            isRelease ||
            (suite.endsWith('/')
              ? rest !== '' && !rest.includes('_')
              : components.some((one) => rest.startsWith(`${quoted(one)}_`)))
          );
        };
        return all.filter(isOf);
      }),
    ),
  );
  return { names: [...new Set(each.flat())], isComplete: each.every((names) => names.length > 0) };
}

/**
 * apt names a list after its URI, without the method and the password (URItoFileName in strutl.cc).
 */
export function prefixOf(uri: string, suite: string): string {
  const base = uri.replace(/^[a-z0-9+.-]+:(?:\/\/(?:[^/@]*@)?)?/i, '').replace(/\/*$/, '/');
  return quoted(suite.endsWith('/') ? `${base}${suite}` : `${base}dists/${suite}/`);
}

function quoted(text: string): string {
  return text
    .replaceAll(
      /[\\|{}[\]<>"^~_=!@#$%^&*]/g,
      (char) => `%${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
    )
    .replaceAll('/', '_');
}

/** Returns the path of a list. */
export function listPath(name: string): string {
  return posix.join(listsDirectory, name);
}

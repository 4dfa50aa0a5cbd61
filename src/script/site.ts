import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { messageOf, UsageError } from '../core/errors.ts';
import { exposedHere } from '../command/index.ts';
import { parseSite, type Site, unsafeSite } from '../site.ts';
import { type LoadOptions, loadScript, placeOf } from './load.ts';

/**
 * Returns the policy of a site file: the default export of a `.ts` or `.js`, the value of a
 * `.json`. Throws UsageError, with file and line, for a file that throws, cannot be parsed or has
 * an unknown setting. The caller has checked that other users cannot write the file; every file
 * that it imports is checked here before its code runs.
 */
export async function loadSite(path: string, options: LoadOptions): Promise<Site> {
  return parseSite(extname(path) === '.json' ? await fromJson(path) : await fromScript(path, options), path);
}

async function fromJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as unknown;
  } catch (error) {
    throw new UsageError(`the site file ${path} is not JSON: ${messageOf(error)}`, { cause: error });
  }
}

async function fromScript(path: string, options: LoadOptions): Promise<unknown> {
  let exported: unknown;
  let refused: UsageError | undefined;
  const allowed = (file: string): void => {
    const found = exposedHere(file, 'content');
    if (found === undefined) return;
    refused = unsafeSite(path, found);
    throw refused;
  };
  try {
    exported = await loadScript(path, { ...options, allowed });
    // The site file may have caught that error.
    if (refused !== undefined) throw refused;
  } catch (error) {
    if (refused !== undefined) throw refused;
    if (error instanceof UsageError && error.cause !== undefined)
      throw new UsageError(`the site file cannot be used: ${error.message}`, { cause: error });
    throw new UsageError(`the site file throws: ${placeOf(error, path)}: ${messageOf(error)}`, {
      cause: error,
    });
  }
  if (typeof exported === 'object' && exported !== null && 'default' in exported) return exported.default;
  throw new UsageError(`the site file ${path} has no default export`, {
    remedy: 'export default defineSite({ … })',
  });
}

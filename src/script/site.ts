import { readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { messageOf, UsageError } from '../core/errors.ts';
import { present } from '../core/present.ts';
import { exposedHere } from '../command/index.ts';
import { defineSite, parseSite, type Site, unreadableSite, unsafeSite } from '../site.ts';
import { type LoadOptions, loadScript, loadScriptSync, placeOf, readSource } from './load.ts';

/**
 * Returns the policy of a site file: the default export of a `.ts` or `.js` file, the value of a
 * `.json` file. Throws UsageError, with file and line, for a file that throws, cannot be parsed or
 * has an unknown setting. The caller has checked that other users cannot write the file. This
 * function checks every imported file before its code runs.
 */
export async function readSite(path: string, options: LoadOptions): Promise<Site> {
  if (extname(path) === '.json') return fromJson(path);
  const { allowed, failed, site } = fromScript(path);
  let exported: unknown;
  try {
    const source = options.source ?? readSource(path);
    const modules = options.modules ?? modulesOf(source);
    exported = await loadScript(path, { ...options, source, ...present({ modules }), allowed });
  } catch (error) {
    throw failed(error);
  }
  return site(exported);
}

const usualImport = /^import \{ defineSite \} from ['"]bofh['"];?$/m;

/**
 * Returns what a usual site file imports. Undefined if the file may import more: loading the whole
 * library takes longer than most commands that only read.
 */
export function modulesOf(source: string): LoadOptions['modules'] {
  const rest = source.replace(usualImport, '');
  if (rest === source || /\b(?:import|require)\b|\bfrom\s*['"]/.test(rest)) return undefined;
  return { bofh: { defineSite } };
}

/** Like `readSite`, for a caller that cannot wait. Throws UsageError for a file with a top-level `await`. */
export function readSiteSync(path: string, options: LoadOptions): Site {
  if (extname(path) === '.json') return fromJson(path);
  const { allowed, failed, site } = fromScript(path);
  let exported: unknown;
  try {
    exported = loadScriptSync(path, { ...options, allowed });
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('await is only valid'))
      throw new UsageError(
        `the site file ${path} has an await at its top level, so loading it must be awaited`,
        {
          cause: error,
          remedy: 'await withBofh(connect({ site: await loadSite() }), async () => …)',
        },
      );
    throw failed(error);
  }
  return site(exported);
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw unreadableSite(path, error);
  }
}

function fromJson(path: string): Site {
  const text = textOf(path);
  let settings: unknown;
  try {
    settings = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`the site file ${path} is not JSON: ${messageOf(error)}`, { cause: error });
  }
  return parseSite(settings, path);
}

function fromScript(path: string) {
  let refused: UsageError | undefined;
  return {
    allowed: (file: string): void => {
      const found = exposedHere(file, 'content');
      if (found === undefined) return;
      refused = unsafeSite(path, found);
      throw refused;
    },
    failed: (error: unknown): UsageError => {
      if (refused !== undefined) return refused;
      if (error instanceof UsageError && error.cause !== undefined)
        return new UsageError(`the site file cannot be used: ${error.message}`, { cause: error });
      return new UsageError(`the site file throws: ${placeOf(error, path)}: ${messageOf(error)}`, {
        cause: error,
      });
    },
    site: (exported: unknown): Site => {
      // The site file may have caught this error.
      if (refused !== undefined) throw refused;
      if (typeof exported === 'object' && exported !== null && 'default' in exported)
        return parseSite(exported.default, path);
      throw new UsageError(`the site file ${path} has no default export`, {
        remedy: 'export default defineSite({ … })',
      });
    },
  };
}

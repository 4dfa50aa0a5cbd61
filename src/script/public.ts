import { defaultSite, type Site, siteFileHere } from '../site.ts';
import { loadScript, type LoadOptions } from './load.ts';
import { readSite, readSiteSync } from './site.ts';
import { naming } from '../core/checks.ts';

/**
 * Returns the policy of a site file: of the named one, or else of that which the command line would
 * use (BOFH_SITE, or the first of /etc/bofh/site-specific.ts, .js and .json), or else the defaults.
 * Throws UsageError if there is no such file, it cannot be used, or other users can write it.
 */
export async function loadSite(file?: string): Promise<Site> {
  return naming('loadSite', file === undefined ? {} : { file }, async () => {
    const path = siteFileHere(file ?? process.env.BOFH_SITE);
    return path === undefined ? defaultSite : await readSite(path, usual());
  });
}

/** The policy of a process that names none. */
export function siteOfProcess(): Site {
  const path = siteFileHere(process.env.BOFH_SITE);
  return path === undefined ? defaultSite : readSiteSync(path, usual());
}

/**
 * Runs a script (.ts, .js or .mjs) as `bofh run` does, in the context around this call, and returns
 * its exports when its top level has ended. `bofh` in it is this library. Throws UsageError if it
 * cannot be read or parsed; errors of the script are thrown unchanged.
 */
export async function runScript(file: string): Promise<unknown> {
  naming('runScript', { file }, () => undefined);
  return await loadScript(file, usual());
}

/** Only root has a cache of scripts; it is filled by the command line. */
function usual(): LoadOptions {
  return {
    cache: process.getuid?.() === 0 ? 'read-only' : 'unused',
    warn: (message, facts) => process.emitWarning(`${message}: ${JSON.stringify(facts)}`, 'BofhWarning'),
  };
}

import { defaultSite, type Site, siteFileHere } from '../site.ts';
import { loadScript, type LoadOptions } from './load.ts';
import { readSite, readSiteSync } from './site.ts';
import { naming } from '../core/checks.ts';
import { present } from '../core/present.ts';

/**
 * Returns the policy of a site file: the named file, or the one that the command line would use
 * (BOFH_SITE, or the first of /etc/bofh/site-specific.ts, .js and .json), or the defaults. Throws
 * UsageError if the file is missing or invalid, or other users can write it.
 */
export async function loadSite(file?: string): Promise<Site> {
  return naming('loadSite', present({ file }), async () => {
    const path = siteFileHere(file ?? process.env.BOFH_SITE);
    return path === undefined ? defaultSite : await readSite(path, usual());
  });
}

/** Returns the policy of a process that names no site file. */
export function siteOfProcess(): Site {
  const path = siteFileHere(process.env.BOFH_SITE);
  return path === undefined ? defaultSite : readSiteSync(path, usual());
}

/**
 * Runs a script (.ts, .js or .mjs) as `bofh run` does, in the context of the caller, and returns
 * its exports when its top level has ended. In the script `bofh` is this library. Throws UsageError
 * if the script cannot be read or parsed; errors of the script are thrown unchanged.
 */
export async function runScript(file: string): Promise<unknown> {
  naming('runScript', { file }, () => undefined);
  return await loadScript(file, usual());
}

/**
 * Returns the usual options. Only root has a cache of scripts, and only the command line adds
 * entries.
 */
function usual(): LoadOptions {
  return {
    cache: process.getuid?.() === 0 ? 'read-only' : 'unused',
    warn: (message, facts) => process.emitWarning(`${message}: ${JSON.stringify(facts)}`, 'BofhWarning'),
  };
}

import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { localHost } from '../../../src/host/local.ts';
import { runScenario, scenarios } from '../../contract/index.ts';

/** How one scenario ended in the dom0: `ran`, the part of the context that it lacked, or its error. */
export interface Outcome {
  readonly name: string;
  readonly ended: string;
}

/** Runs in the dom0, as one bundled file: every scenario that needs LVM or Xen. Its words are the outcomes as JSON. */
async function main([device = '', kernel = '', ramdisk = '']: readonly string[]): Promise<void> {
  const root = mkdtempSync('/root/contract-');
  const lock = openSync(join(root, 'lock'), 'w', 0o600);
  const host = localHost();
  const outcomes: Outcome[] = [];
  for (const [index, scenario] of scenarios.entries()) {
    if (!scenario.needs.some((part) => part === 'vg' || part === 'guest')) continue;
    const [directory, outputs] = ['files', 'outputs'].map((name) => join(root, `${String(index)}-${name}`));
    if (directory === undefined || outputs === undefined) throw new TypeError('two names make two paths');
    for (const path of [directory, outputs]) mkdirSync(path);
    const change = host.during({ outputs, lock });
    const context = { host, change, directory, device, vg: 'vg0', guest: { kernel, ramdisk } };
    const ended = await runScenario(scenario, context).catch((error: unknown) =>
      error instanceof Error ? error.message : String(error),
    );
    outcomes.push({ name: scenario.name, ended });
  }
  closeSync(lock);
  rmSync(root, { recursive: true });
  process.stdout.write(JSON.stringify(outcomes));
}

await main(process.argv.slice(2));

import { resolve } from 'node:path';
import type { ReadHost } from '../../../command/index.ts';
import { RefusedError } from '../../../core/errors.ts';
import { present } from '../../../core/present.ts';
import type { Program, Runtime } from '../../runtime/runtime.ts';
import { rootStateDir } from '../../../host/own-places.ts';
import { bootUnits, isOurs, type Unit, unitDir, unitNames } from './units.ts';

/** The options of bofh in the units. */
export interface UnitOptions {
  readonly stateDir?: string;
  readonly site?: string;
}

/**
 * The options of bofh in the installed units; undefined if no unit was created by bofh. Throws RefusedError
 * for an unknown command line: without its options, recovery would use another directory.
 */
export async function installedOptions(host: ReadHost): Promise<UnitOptions | undefined> {
  for (const name of unitNames) {
    const path = `${unitDir}/${name}`;
    if ((await host.stat(path))?.kind !== 'file') continue;
    const text = new TextDecoder().decode(await host.readFile(path));
    const line = /^ExecStart=(?<words>.*)$/m.exec(text)?.groups?.words;
    if (!isOurs(text) || line === undefined) continue;
    const { stateDir, site } = wordsOf(line, path);
    return present({ stateDir, site });
  }
  return undefined;
}

function wordsOf(line: string, path: string): { readonly [key: string]: string | undefined } {
  const groups =
    /^\S+ \S+(?: --state-dir (?<stateDir>\S+))?(?: --site (?<site>\S+))? (?:recover --boot(?: --network)?|xen start-all)$/.exec(
      line,
    )?.groups;
  if (groups !== undefined) return groups;
  throw new RefusedError(`the command line of ${path} could not be parsed: ${line}`, {
    remedy:
      'write the units again, with --state-dir and --site if they need them: bofh boot remove; bofh boot install',
  });
}

/** The typed options, else those of the installed units, which change only if a new value is typed. */
export function optionsFor({ settings }: Runtime, installed: UnitOptions | undefined): UnitOptions {
  const stateDir = settings.stateDirBy === 'named' ? settings.stateDir : installed?.stateDir;
  const site = settings.site === undefined ? installed?.site : resolve(settings.site);
  return present({ stateDir: stateDir === rootStateDir ? undefined : stateDir, site });
}

/** The units that start this program with these options. */
export function unitsFor(program: Program, { stateDir, site }: UnitOptions): readonly Unit[] {
  const words = [
    ...(stateDir === undefined ? [] : ['--state-dir', stateDir]),
    ...(site === undefined ? [] : ['--site', site]),
  ];
  return bootUnits([...program, ...words], stateDir ?? rootStateDir);
}

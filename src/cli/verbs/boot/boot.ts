import { resolve } from 'node:path';
import { atomic, currentBofh, withBofh } from '../../../bofh.ts';
import type { ReadHost } from '../../../command/index.ts';
import { RefusedError } from '../../../core/errors.ts';
import { give } from '../../output/answer.ts';
import type { BootUnits } from '../../output/answers/index.ts';
import {
  bootUnits,
  findUnit,
  type FoundUnit,
  installedOptions,
  type Unit,
  type UnitOptions,
} from './boot-units.ts';
import { programOf, refuseUnsafe } from './boot-safety.ts';
import type { Program, Runtime } from '../../runtime/runtime.ts';
import { openSession, refuseOtherHost } from '../../runtime/session.ts';
import { defaultStateDir } from '../../runtime/settings.ts';
import { logged } from '../../runtime/system-log.ts';

/** They start the program here, and whether one is up to date is told by it. */
const ofThisBofh = 'units of the bofh that is installed';

/** `bofh boot install`: writes the units, all or none. Enabling them is left to systemctl, as for every other unit. */
export async function install(runtime: Runtime, program: Program = programOf(runtime)): Promise<number> {
  refuseOtherHost(runtime, ofThisBofh);
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'needed' });
  const had = await installedOptions(bofh.host);
  const gets = optionsFor(runtime, had);
  const units = unitsFor(program, gets);
  await refuseUnsafe(bofh.host, program);
  const change = () =>
    atomic('boot install', async (tx) => {
      const due = (await findAll(currentBofh().host, units)).filter(({ state }) => state !== 'installed');
      for (const { unit, state, sha256 } of due) {
        if (state === 'outdated')
          await tx.file.remove({ path: unit.path, ...(sha256 === undefined ? {} : { sha256 }) });
        await tx.file.create({ path: unit.path, content: unit.content, mode: 0o644 });
      }
    });
  refuseForeign(await findAll(bofh.host, units));
  if (runtime.settings.mode === 'plan') {
    await (await import('../../plan/plan.ts')).dryRun(runtime, bofh, change);
    return 0;
  }
  await logged(runtime, bofh.host, () => withBofh(bofh, change));
  const found = await findAll(bofh.host, units);
  tell(runtime, found);
  for (const line of inherited(runtime, had, gets)) runtime.terminal.line(line);
  const off = found.filter(({ unit, enabled }) => unit.atBoot && !enabled);
  const verb = off.length === 0 ? 'daemon-reload' : `enable ${off.map(({ unit }) => unit.name).join(' ')}`;
  runtime.terminal.line(`next: systemctl ${verb}`);
  return 0;
}

/** `bofh boot remove`: the units go, all or none; refused while one of them is enabled. */
export async function remove(runtime: Runtime, program: Program = programOf(runtime)): Promise<number> {
  refuseOtherHost(runtime, ofThisBofh);
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'needed' });
  const units = unitsFor(program, {});
  const change = () =>
    atomic('boot remove', async (tx) => {
      for (const { unit, state, sha256 } of await findAll(currentBofh().host, units))
        if (state !== 'absent')
          await tx.file.remove({ path: unit.path, ...(sha256 === undefined ? {} : { sha256 }) });
    });
  const found = await findAll(bofh.host, units);
  refuseForeign(found);
  refuseEnabled(found);
  if (runtime.settings.mode === 'plan') {
    await (await import('../../plan/plan.ts')).dryRun(runtime, bofh, change);
    return 0;
  }
  await logged(runtime, bofh.host, () => withBofh(bofh, change));
  tell(runtime, await findAll(bofh.host, units));
  runtime.terminal.line('next: systemctl daemon-reload');
  return 0;
}

/** `bofh boot status`: what stands at the places of the units. Whether they have run, and how it ended, systemctl tells. */
export async function status(runtime: Runtime, program: Program = programOf(runtime)): Promise<number> {
  refuseOtherHost(runtime, ofThisBofh);
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
  const gets = optionsFor(runtime, await installedOptions(bofh.host));
  tell(runtime, await findAll(bofh.host, unitsFor(program, gets)));
  return 0;
}

/** What is named now, else what the installed units have: without a word they never turn to another directory. */
function optionsFor({ settings }: Runtime, had: UnitOptions | undefined): UnitOptions {
  const stateDir = settings.stateDirBy === 'named' ? settings.stateDir : had?.stateDir;
  const site = settings.site === undefined ? had?.site : resolve(settings.site);
  return {
    ...(stateDir === undefined || stateDir === defaultStateDir ? {} : { stateDir }),
    ...(site === undefined ? {} : { site }),
  };
}

function unitsFor(program: Program, { stateDir, site }: UnitOptions): readonly Unit[] {
  const words = [
    ...(stateDir === undefined ? [] : ['--state-dir', stateDir]),
    ...(site === undefined ? [] : ['--site', site]),
  ];
  return bootUnits([...program, ...words], stateDir ?? defaultStateDir);
}

/** What the units have from before, and what they had and have no more. */
function inherited(
  { settings }: Runtime,
  had: UnitOptions | undefined,
  gets: UnitOptions,
): readonly string[] {
  const from = had?.stateDir ?? defaultStateDir;
  const moved = had !== undefined && from !== (gets.stateDir ?? defaultStateDir);
  return [
    ...(settings.stateDirBy === 'default' && gets.stateDir !== undefined
      ? [`the units keep --state-dir ${gets.stateDir}`]
      : []),
    ...(settings.site === undefined && gets.site !== undefined ? [`the units keep --site ${gets.site}`] : []),
    ...(moved ? [`what is unfinished in ${from} is no longer recovered at boot`] : []),
  ];
}

async function findAll(host: ReadHost, units: readonly Unit[]): Promise<readonly FoundUnit[]> {
  return await Promise.all(units.map((unit) => findUnit(host, unit)));
}

function refuseForeign(found: readonly FoundUnit[]): void {
  const paths = found.filter(({ state }) => state === 'foreign').map(({ unit }) => unit.path);
  if (paths.length === 0) return;
  throw new RefusedError(`not as "bofh boot install" has made it: ${paths.join(', ')}`, {
    remedy: 'move it away; what you have changed in it belongs into a drop-in: systemctl edit UNIT',
  });
}

function refuseEnabled(found: readonly FoundUnit[]): void {
  const on = found.filter(({ enabled }) => enabled).map(({ unit }) => unit.name);
  if (on.length === 0) return;
  throw new RefusedError(`enabled: ${on.join(', ')}; without the files the links would lead nowhere`, {
    remedy: `systemctl disable ${on.join(' ')}`,
  });
}

function tell(runtime: Runtime, found: readonly FoundUnit[]): void {
  const data: BootUnits = found.map(({ unit, state, enabled }) => ({
    unit: unit.name,
    file: unit.path,
    state,
    atBoot: atBootOf({ unit, state, enabled }),
  }));
  give(runtime, {
    data,
    head: ['UNIT', 'STATE', 'AT BOOT', 'FILE'],
    rows: data.map((row) => [row.unit, row.state, atBootWords[row.atBoot], row.file]),
    none: '',
  });
}

/** A timer is not enabled: the service that failed starts it, where it is there. */
function atBootOf({ unit, state, enabled }: Pick<FoundUnit, 'unit' | 'state' | 'enabled'>) {
  if (unit.atBoot) return enabled ? 'enabled' : 'disabled';
  return state === 'absent' ? 'disabled' : 'on-failure';
}

const atBootWords: Readonly<Record<BootUnits[number]['atBoot'], string>> = {
  enabled: 'yes',
  disabled: 'no',
  'on-failure': 'when recovery fails',
};

import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { atomic, currentBofh, withBofh } from '../bofh.ts';
import type { ReadHost } from '../command/index.ts';
import { RefusedError } from '../errors.ts';
import { give } from './answer.ts';
import type { BootUnits } from './answers.ts';
import { bootUnits, findUnit, type FoundUnit, type Unit } from './boot-units.ts';
import type { Runtime } from './runtime.ts';
import { openSession } from './session.ts';
import { logged } from './system-log.ts';

/** What the units start: node and this program, by absolute paths without links. */
export type Program = readonly [node: string, bofh: string];

/** `bofh boot install`: writes the units, all or none. Enabling them is left to systemctl, as for every other unit. */
export async function install(runtime: Runtime, program: Program = thisProgram()): Promise<number> {
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'needed' });
  const units = unitsFor(runtime, program);
  for (const path of program) await refuseUnsafe(bofh.host, path);
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
    await (await import('./plan.ts')).dryRun(runtime, bofh, change);
    return 0;
  }
  await logged(runtime, bofh.host, () => withBofh(bofh, change));
  const found = await findAll(bofh.host, units);
  tell(runtime, found);
  const off = found.filter(({ unit, enabled }) => unit.atBoot && !enabled);
  const verb = off.length === 0 ? 'daemon-reload' : `enable ${off.map(({ unit }) => unit.name).join(' ')}`;
  runtime.terminal.line(`next: systemctl ${verb}`);
  return 0;
}

/** `bofh boot remove`: the units go, all or none; refused while one of them is enabled. */
export async function remove(runtime: Runtime, program: Program = thisProgram()): Promise<number> {
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'needed' });
  const units = unitsFor(runtime, program);
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
    await (await import('./plan.ts')).dryRun(runtime, bofh, change);
    return 0;
  }
  await logged(runtime, bofh.host, () => withBofh(bofh, change));
  tell(runtime, await findAll(bofh.host, units));
  runtime.terminal.line('next: systemctl daemon-reload');
  return 0;
}

/** `bofh boot status`: what stands at the places of the units. Whether they have run, and how it ended, systemctl tells. */
export async function status(runtime: Runtime, program: Program = thisProgram()): Promise<number> {
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
  tell(runtime, await findAll(bofh.host, unitsFor(runtime, program)));
  return 0;
}

/** What is not the default now is what the units get at boot. */
function unitsFor({ settings }: Runtime, program: Program): readonly Unit[] {
  const stateDir = settings.stateDir === '/var/lib/bofh' ? [] : ['--state-dir', settings.stateDir];
  const site = settings.site === undefined ? [] : ['--site', resolve(settings.site)];
  return bootUnits([...program, ...stateDir, ...site], settings.stateDir);
}

function thisProgram(): Program {
  return [process.execPath, realpathSync(process.argv[1] ?? '')];
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

/** What root runs at each boot must be root's alone, with every folder above it. The path has no links. */
async function refuseUnsafe(host: ReadHost, path: string): Promise<void> {
  const parts = path.split('/').slice(1);
  for (const at of ['/', ...parts.map((_, index) => `/${parts.slice(0, index + 1).join('/')}`)]) {
    const stat = await host.stat(at);
    if (stat === undefined)
      throw new RefusedError(`there is no ${at}, which ${path} needs`, {
        remedy: 'install bofh at that place, or run boot install from where it is',
      });
    const sticky = stat.kind === 'directory' && (stat.mode & 0o1000) !== 0;
    if (stat.uid === 0 && (sticky || (stat.mode & 0o022) === 0)) continue;
    throw new RefusedError(`others than root can write ${at}, and root would run ${path} at each boot`, {
      remedy: 'install bofh for the whole host, as root: npm install --global bofh',
    });
  }
}

function tell(runtime: Runtime, found: readonly FoundUnit[]): void {
  const data: BootUnits = found.map(({ unit, state, enabled }) => ({
    unit: unit.name,
    file: unit.path,
    state,
    atBoot: unit.atBoot ? (enabled ? 'enabled' : 'disabled') : 'on-failure',
  }));
  give(runtime, {
    data,
    head: ['UNIT', 'STATE', 'AT BOOT', 'FILE'],
    rows: data.map((row) => [row.unit, row.state, atBootWords[row.atBoot], row.file]),
    none: '',
  });
}

const atBootWords: Readonly<Record<BootUnits[number]['atBoot'], string>> = {
  enabled: 'yes',
  disabled: 'no',
  'on-failure': 'when recovery fails',
};

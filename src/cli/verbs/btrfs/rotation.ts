import { atomic, currentBofh, withBofh } from '../../../bofh.ts';
import { placeOf } from '../../../btrfs/place.ts';
import { type RotationRequest, rotationRequest } from '../../../btrfs/rotation.ts';
import { subvolumeAt } from '../../../btrfs/reads.ts';
import { commandLine, type ReadHost } from '../../../command/index.ts';
import { RefusedError, UsageError } from '../../../core/errors.ts';
import { realPath } from '../../../mount/index.ts';
import { give } from '../../output/answer.ts';
import type { BtrfsRotations } from '../../output/answers/index.ts';
import { thisProgram } from '../boot/boot.ts';
import { type Program, refuseUnsafe } from '../boot/boot-safety.ts';
import { type FoundUnit, installedOptions, unitDir } from '../boot/boot-units.ts';
import {
  calendarOf,
  findRotation,
  rotationUnitNames,
  rotationUnits,
  seenRotations,
} from './rotation-units.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { openSession, refuseOtherHost, untilInterrupted } from '../../runtime/session.ts';
import { defaultStateDir } from '../../runtime/settings.ts';
import { logged } from '../../runtime/system-log.ts';

interface Asked {
  readonly source: string;
  readonly target: string;
  readonly label: string;
  readonly keep?: number;
  readonly calendar?: string;
}

const ofThisBofh = 'units of the bofh that is installed';

/** `bofh btrfs rotation install SOURCE TARGET --label LABEL`: writes a service and a timer, both or none; systemctl enables it. */
export async function install(
  runtime: Runtime,
  asked: Asked,
  program: Program = thisProgram(),
): Promise<number> {
  refuseOtherHost(runtime, ofThisBofh);
  const request = rotationRequest(asked);
  const calendar = calendarOf(request.label, asked.calendar);
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'needed' });
  const checked = await untilInterrupted(runtime, placesOf(bofh.host, request));
  const units = rotationUnits(...(await callOf(runtime, bofh.host, program, { ...checked, calendar })));
  await refuseUnsafe(bofh.host, program);
  refuseForeign(await findRotation(bofh.host, units));
  const change = () =>
    atomic('btrfs rotation install', async (tx) => {
      const due = (await findRotation(currentBofh().host, units)).filter(
        ({ state }) => state !== 'installed',
      );
      for (const { unit, state, sha256 } of due) {
        if (state === 'outdated')
          await tx.file.remove({ path: unit.path, ...(sha256 === undefined ? {} : { sha256 }) });
        await tx.file.create({ path: unit.path, content: unit.content, mode: 0o644 });
      }
    });
  if (runtime.settings.mode === 'plan') {
    await (await import('../../plan/plan.ts')).dryRun(runtime, bofh, change);
    return 0;
  }
  await logged(runtime, bofh.host, () => withBofh(bofh, change));
  await tell(runtime, bofh.host);
  const [, timer] = await findRotation(bofh.host, units);
  const verb = timer?.enabled === true ? ['daemon-reload'] : ['enable', '--now', units.timer.name];
  runtime.terminal.line(`next: ${commandLine({ tool: 'systemctl', argv: verb })}`);
  return 0;
}

/** `bofh btrfs rotation remove SOURCE --label LABEL`: both units go; the snapshots stay. Refused while the timer is enabled. */
export async function remove(runtime: Runtime, asked: Pick<Asked, 'source' | 'label'>): Promise<number> {
  refuseOtherHost(runtime, ofThisBofh);
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'needed' });
  const { label, source } = rotationRequest({ ...asked, target: asked.source, keep: 1 });
  // The units bear the path without links; what is not there any more is named as it was.
  const isThere = (await bofh.host.stat(source)) !== undefined;
  const names = rotationUnitNames({ label, source: isThere ? await realPath(bofh.host, source) : source });
  const seen = (await seenRotations(bofh.host)).find(({ timer }) => timer === names.timer);
  if (seen === undefined)
    throw new RefusedError(`no rotation of ${source} with the label ${label} is installed`, {
      remedy: 'bofh btrfs rotation status lists those that are',
    });
  if (seen.rotation === undefined) throw foreign([names.service, names.timer]);
  if (seen.enabled)
    throw new RefusedError(`enabled: ${names.timer}; without the file the link would lead nowhere`, {
      remedy: commandLine({ tool: 'systemctl', argv: ['disable', '--now', names.timer] }),
    });
  const change = () =>
    atomic('btrfs rotation remove', async (tx) => {
      for (const name of [names.timer, names.service]) await tx.file.remove({ path: `${unitDir}/${name}` });
    });
  if (runtime.settings.mode === 'plan') {
    await (await import('../../plan/plan.ts')).dryRun(runtime, bofh, change);
    return 0;
  }
  await logged(runtime, bofh.host, () => withBofh(bofh, change));
  await tell(runtime, bofh.host);
  runtime.terminal.line('next: systemctl daemon-reload');
  return 0;
}

/** `bofh btrfs rotation status`: which rotations are installed. When they last ran, `systemctl list-timers` tells. */
export async function status(runtime: Runtime): Promise<number> {
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
  await tell(runtime, bofh.host);
  return 0;
}

/** Both must be there now and be what a rotation takes; the units name them without links. */
async function placesOf(host: ReadHost, request: RotationRequest): Promise<RotationRequest> {
  const [source, target] = [await placeOf(host, request.source), await placeOf(host, request.target)];
  if ((await subvolumeAt(host, source.path)) === undefined)
    throw new RefusedError(`${request.source} is no subvolume`, {
      remedy: `the subvolumes of its filesystem: bofh btrfs list ${source.mount.path}`,
    });
  if (source.fs !== target.fs)
    throw new RefusedError(`${request.target} is on another filesystem than ${request.source}`, {
      remedy: 'choose a directory on the same filesystem',
    });
  return { ...request, source: source.path, target: target.path };
}

/** The rotation runs with the state directory that recovery at boot looks at, unless another one is named. */
async function callOf(
  { settings }: Runtime,
  host: ReadHost,
  program: Program,
  rotation: RotationRequest & { readonly calendar: string },
): Promise<Parameters<typeof rotationUnits>> {
  const ofBoot = (await installedOptions(host))?.stateDir ?? defaultStateDir;
  const stateDir = settings.stateDirBy === 'named' ? settings.stateDir : ofBoot;
  const words = stateDir === defaultStateDir ? [] : ['--state-dir', stateDir];
  return [[...program, ...words], rotation, stateDir];
}

function refuseForeign(found: readonly FoundUnit[]): void {
  const paths = found.filter(({ state }) => state === 'foreign').map(({ unit }) => unit.path);
  if (paths.length > 0) throw foreign(paths);
}

function foreign(paths: readonly string[]): RefusedError {
  return new RefusedError(`not as "bofh btrfs rotation install" has made it: ${paths.join(', ')}`, {
    remedy: 'move it away; what you have changed in it belongs into a drop-in: systemctl edit UNIT',
  });
}

async function tell(runtime: Runtime, host: ReadHost): Promise<void> {
  const data: BtrfsRotations = (await seenRotations(host)).map(({ timer, enabled, rotation }) => ({
    timer,
    enabled,
    rotation: rotation === undefined ? null : { ...rotation },
  }));
  give(runtime, {
    data,
    head: ['LABEL', 'SOURCE', 'TARGET', 'KEEP', 'CALENDAR', 'ENABLED', 'TIMER'],
    rows: data.map(({ timer, enabled, rotation }) => [
      rotation?.label ?? 'edited',
      rotation?.source ?? '-',
      rotation?.target ?? '-',
      rotation === null ? '-' : String(rotation.keep),
      rotation?.calendar ?? '-',
      enabled ? 'yes' : 'no',
      timer,
    ]),
    none: 'no rotation is installed',
  });
}

/** The number after --keep. */
export function counted(text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new UsageError(`"${text}" is no number of snapshots`);
}

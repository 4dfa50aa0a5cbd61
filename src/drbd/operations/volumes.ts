import * as z from 'zod/mini';
import { type Look, type Operation, operation } from '../../atomic/operation.ts';
import type { ChangeHost, Command, ReadHost } from '../../command/index.ts';
import { type Holder, NotDone, ParseError, RefusedError } from '../../core/errors.ts';
import { refuseWithoutAddress } from '../address.ts';
import type { ResourceState } from '../state.ts';
import type { VolumeOf } from '../volume-commands.ts';
import {
  askedUp,
  byTools,
  claimsOf,
  deviceOf,
  type Here,
  minorOf,
  minorsOf,
  now,
  resourceName,
} from './known-resource.ts';

export const volumeArgs = z.strictObject({
  /** Name of the resource, as in its configuration. */
  name: resourceName,
  /** One of its volumes; missing: all of them. */
  volume: z.exactOptional(z.int().check(z.nonnegative())),
});

const undo = z.strictObject({
  name: z.string(),
  /**
   * The minor numbers of all volumes of the resource: they distinguish it from another one with the same
   * name.
   */
  minors: z.array(z.int()),
  /** The volumes that are changed. */
  volumes: z.array(z.int()).check(z.minLength(1)),
  /** The devices of these volumes, in their order. */
  devices: z.array(z.string()),
});

export type VolumesUndo = z.infer<typeof undo>;

/** A change of volumes of a resource that is up, valid until the next boot, and its undo. */
interface VolumeChange {
  readonly kind: string;
  /** Text for the result: `web1/0 has its disk`. */
  readonly words: string;
  /** Text for the case that drbdadm changed nothing: `web1/0 still has no disk`. */
  readonly otherwise: string;
  readonly isDone: (state: ResourceState, volume: number) => boolean;
  readonly act: (of: VolumeOf) => Command<void, 'change'>;
  readonly undoAct: (of: VolumeOf) => Command<void, 'change'>;
  /**
   * The look of the step while the resource is down. `gone`: it counts as undone. `not-ours`: it is left
   * untouched, because the step can be undone only while the resource is up.
   */
  readonly whenDown: 'gone' | 'not-ours';
  /** Checks before the step. */
  readonly check?: (
    host: ReadHost,
    found: Here & { readonly state: ResourceState },
    volumes: readonly number[],
  ) => Promise<void> | void;
  /** Checks before the undo. */
  readonly checkBack?: (
    host: ReadHost,
    state: ResourceState,
    volumes: readonly number[],
  ) => Promise<void> | void;
  /** The holders that the undo would disturb. */
  readonly holders?: (host: ReadHost, of: VolumesUndo) => Promise<readonly Holder[]>;
}

/** Builds the operation of such a change; its value is the devices of the changed volumes. */
export function volumeChange(
  change: VolumeChange,
): Operation<z.infer<typeof volumeArgs>, { readonly name: string; readonly devices: readonly string[] }> {
  return operation({
    ...{ kind: change.kind, version: 1, args: volumeArgs, undo, result: z.null() },
    ...({ lives: 'boot', restores: 'state' } as const),
    prepare: async ({ args: { name, volume }, host, chosen }): Promise<VolumesUndo> => {
      const found = await askedUp(host, name);
      const volumes = chosen?.volumes ?? volumesOf(change, found.state, volume);
      const left = volumes.filter((each) => !change.isDone(found.state, each));
      if (left.length === 0)
        throw new RefusedError(`${namesOf(name, volumes)} ${change.words} already`, {
          remedy: `there is nothing to do; see: bofh drbd status ${name}`,
        });
      await refuseWithoutAddress(host, found, change.act({ name, volume: left[0] ?? 0 }));
      await change.check?.(host, found, left);
      const devices = left.map((each) => deviceOf(minorOf(found.state, each)));
      return { name, minors: [...minorsOf(found.state)], volumes: [...left], devices };
    },
    claims: ({ undo: of, on }) => claimsOf(of, on),
    run: async ({ undo: of, host }) => {
      const state = await found(host, of);
      if (typeof state === 'string' || of.volumes.some((volume) => change.isDone(state, volume)))
        throw new NotDone(`${of.name} has changed; nothing was done`, {
          found: `the DRBD resource ${of.name}, changed by another process`,
          remedy: `see what it is: bofh drbd status ${of.name}`,
        });
      for (const volume of of.volumes) await host.run(change.act({ name: of.name, volume }));
      const after = await found(host, of);
      const left = of.volumes.filter((volume) => typeof after === 'string' || !change.isDone(after, volume));
      if (left.length > 0)
        throw new ParseError(`drbdadm reported success, but ${namesOf(of.name, left)} ${change.otherwise}`);
      return null;
    },
    value: ({ undo: { name, devices } }) => ({ name, devices }),
    look: async ({ undo: of, host }): Promise<Look> => {
      const state = await found(host, of);
      if (state === 'other') return { state: 'not-ours', found: `${of.name} is up with other devices` };
      if (state === 'absent')
        return change.whenDown === 'gone'
          ? { state: 'gone' }
          : { state: 'not-ours', found: `${of.name} is down now` };
      if (!of.volumes.some((volume) => change.isDone(state, volume))) return { state: 'gone' };
      return { state: 'ours', holders: (await change.holders?.(host, of)) ?? [] };
    },
    revert: ({ undo: of, host }) => byTools(() => undoVolumes(change, host, of)),
    describe: ({ undo: of }) => ({
      what: `${namesOf(of.name, of.volumes)}, which ${change.words}`,
      look: [['drbdsetup', 'events2', '--now', of.name]],
      clear: of.volumes.map((volume) => {
        const { tool, argv } = change.undoAct({ name: of.name, volume });
        return [tool, ...argv];
      }),
    }),
  });
}

async function undoVolumes(change: VolumeChange, host: ChangeHost, of: VolumesUndo): Promise<void> {
  const state = await found(host, of);
  if (typeof state === 'string') return;
  const changed = of.volumes.filter((volume) => change.isDone(state, volume));
  await change.checkBack?.(host, state, changed);
  for (const volume of changed) await host.run(change.undoAct({ name: of.name, volume }));
}

async function found(
  host: ReadHost,
  { name, minors }: VolumesUndo,
): Promise<ResourceState | 'absent' | 'other'> {
  return now(host, { name, minors });
}

function volumesOf(change: VolumeChange, state: ResourceState, asked: number | undefined): readonly number[] {
  const all = state.volumes.map(({ volume }) => volume);
  if (asked === undefined) {
    const left = all.filter((volume) => !change.isDone(state, volume));
    return left.length === 0 ? all : left;
  }
  if (all.includes(asked)) return [asked];
  throw new RefusedError(`${state.name} has no volume ${String(asked)}`, {
    remedy: `name one of its volumes: ${all.join(', ')}`,
  });
}

function namesOf(name: string, volumes: readonly number[]): string {
  return volumes.map((volume) => `${name}/${String(volume)}`).join(', ');
}

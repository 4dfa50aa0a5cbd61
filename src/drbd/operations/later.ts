import * as z from 'zod/mini';
import { deferred, type Look, type Operation } from '../../atomic/operation.ts';
import { commandWords, type Command, type ReadHost } from '../../command/index.ts';
import { noteOf, writeNote } from '../../file/notes.ts';
import { ParseError, RefusedError } from '../../core/errors.ts';
import { refuseWithoutAddress } from '../address.ts';
import { dataInWords, dataNow, dataState, refuseOtherData } from '../generation.ts';
import type { ResourceState } from '../state.ts';
import type { VolumeOf } from '../volume-commands.ts';
import { askedUp, byTools, claimsOf, type Here, leftOf, minorsOf, now, upAgain } from './known-resource.ts';
import { volumeArgs } from './volumes.ts';

const undo = z.strictObject({
  name: z.string(),
  minors: z.array(z.int()),
  volumes: z.array(z.int()).check(z.minLength(1)),
  /**
   * Prefix of the names of files, one for each volume whose change was requested. They last until the next
   * boot.
   */
  note: z.string(),
  /** The data to discard; missing in an older journal. */
  ordered: z.exactOptional(dataState),
});

type Undo = z.infer<typeof undo>;

/** An irreversible change of volumes. */
interface LaterChange {
  readonly kind: string;
  /** The result, for messages: `web1/0 will be …`. */
  readonly words: string;
  readonly act: (of: VolumeOf) => Command<void>;
  /**
   * Throws RefusedError if the change is not allowed; checked before the commit, and again right before the
   * step.
   */
  readonly check: (state: ResourceState, volume: number) => void;
  /**
   * `passes`: a finished resync leaves no trace, so a file records that it was requested. A boot removes the
   * file: then a change that is not known to be done is requested again, once the resource is up. `stays`:
   * the state shows the change after a boot too.
   */
  readonly shows: 'stays' | 'passes';
  /** Whether the state shows that the change is done. */
  readonly isDone: (state: ResourceState, volume: number) => boolean;
  readonly prepare?: (host: ReadHost, found: Here) => Promise<void>;
  /** The command that requests this change: `bofh drbd invalidate`. */
  readonly verb: string;
}

/** The irreversible step of such a change. */
export function laterChange(change: LaterChange): Operation<z.infer<typeof volumeArgs>, void> {
  return deferred({
    ...{ kind: change.kind, version: 1, args: volumeArgs, undo },
    prepare: async ({ args: { name, volume }, mark, host }): Promise<Undo> => {
      const found = await askedUp(host, name);
      const { state } = found;
      await change.prepare?.(host, found);
      const all = state.volumes.map((each) => each.volume);
      const volumes = volume === undefined ? all : all.filter((each) => each === volume);
      if (volumes.length === 0)
        throw new RefusedError(`${name} has no volume ${String(volume)}`, {
          remedy: `name one of its volumes: ${all.join(', ')}`,
        });
      await refuseWithoutAddress(host, found, change.act({ name, volume: volumes[0] ?? 0 }));
      for (const each of volumes) change.check(state, each);
      const ordered = await dataNow(host, state, volumes);
      return { name, minors: [...minorsOf(state)], volumes, note: noteOf(mark), ordered };
    },
    claims: ({ undo: of, on }) => claimsOf(of, on),
    look: async ({ undo: of, host }): Promise<Look> => {
      const found = await leftOf(host, of);
      if (found.is === 'another') return found.look;
      const state = found.is === 'up' ? found.state : undefined;
      return { state: (await undoneIn(change, host, of, state)).length === 0 ? 'gone' : 'ours' };
    },
    afterCommit: async ({ undo: of, host }) => {
      const state = await upAgain(host, of);
      for (const volume of await undoneIn(change, host, of, state)) {
        if (!change.isDone(state, volume)) {
          await byTools(async () => change.check(state, volume));
          await checkData(change, host, { of, state, volume });
          await host.run(change.act({ name: of.name, volume }));
          await expectDone(change, host, of, volume);
        }
        if (change.shows === 'passes') await writeNote(host, noteFor(of, volume));
      }
    },
    describe: ({ undo: of, way }) => ({
      what: `${of.volumes.map((each) => `${of.name}/${String(each)}`).join(', ')}, which ${change.words}${of.ordered === undefined ? '' : ` (recorded: ${dataInWords(of.ordered)})`}`,
      look: [['drbdsetup', 'events2', '--now', '--statistics', of.name]],
      clear:
        way === 'back' ? [] : of.volumes.map((volume) => commandWords(change.act({ name: of.name, volume }))),
    }),
  });
}

/**
 * Throws if the data differs from the data that the step recorded. Checks each volume separately, because the
 * change alters its data.
 */
async function checkData(
  change: LaterChange,
  host: ReadHost,
  { of, state, volume }: { readonly of: Undo; readonly state: ResourceState; readonly volume: number },
): Promise<void> {
  const is = await dataNow(host, state, [volume]);
  const was =
    of.ordered === undefined
      ? undefined
      : {
          ...of.ordered,
          volumes: of.ordered.volumes.filter((each) => each.volume === volume),
          // A change that stays visible is not requested again after a boot.
          ...(change.shows === 'stays' ? { boot: is.boot } : {}),
        };
  const order = `bofh drbd ${change.verb} ${of.name}`;
  refuseOtherData(of.name, { was, is, mark: of.note, order });
}

async function expectDone(change: LaterChange, host: ReadHost, of: Undo, volume: number): Promise<void> {
  const after = await now(host, of);
  if (typeof after !== 'string' && change.isDone(after, volume)) return;
  throw new ParseError(
    `drbdadm reported success, but ${of.name}/${String(volume)} does not show that it ${change.words}`,
  );
}

async function undoneIn(
  change: LaterChange,
  host: ReadHost,
  of: Undo,
  /** State of the resource; undefined if it is down. */
  state: ResourceState | undefined,
): Promise<readonly number[]> {
  const found: number[] = [];
  for (const volume of of.volumes) {
    const isLeft =
      change.shows === 'passes'
        ? (await host.stat(noteFor(of, volume))) === undefined
        : state === undefined || !change.isDone(state, volume);
    if (isLeft) found.push(volume);
  }
  return found;
}

function noteFor({ note }: Undo, volume: number): string {
  return `${note}-${String(volume)}`;
}

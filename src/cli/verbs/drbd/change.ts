import * as drbd from '../../../api/drbd.ts';
import { withBofh } from '../../../bofh.ts';
import type { Answer } from '../../output/answer.ts';
import type { DrbdChange } from '../../output/answers/index.ts';
import { change as changeOf } from '../../runtime/change.ts';
import type { Options } from '../../runtime/options.ts';
import type { Runtime } from '../../runtime/runtime.ts';

interface Args {
  readonly name: string;
  readonly discardMyData?: true;
}

const acts = {
  up: { act: drbd.up, words: 'is up' },
  down: { act: drbd.down, words: 'is down' },
  primary: { act: drbd.primary, words: 'is primary on this host' },
  secondary: { act: drbd.secondary, words: 'is secondary on this host' },
  attach: { act: drbd.attach, words: 'has its disks' },
  detach: { act: drbd.detach, words: 'has no disk on this host' },
  connect: { act: drbd.connect, words: 'looks for its peers' },
  disconnect: { act: drbd.disconnect, words: 'is StandAlone' },
  'pause-sync': { act: drbd.pauseSync, words: 'does not resync' },
  'resume-sync': { act: drbd.resumeSync, words: 'is free to resync' },
  adjust: { act: drbd.adjust, words: 'is as its configuration says' },
  resize: { act: drbd.resize, words: 'has grown' },
  'new-current-uuid': { act: drbd.newCurrentUuid, words: 'is up to date on both hosts, without a resync' },
  invalidate: { act: drbd.invalidate, words: 'fetches all its data from its peer' },
  'invalidate-remote': { act: drbd.invalidateRemote, words: 'sends all its data to its peer' },
} as const satisfies Readonly<
  Record<string, { readonly act: (args: Args) => Promise<unknown>; readonly words: string }>
>;

/** What is lost by it, and asked about first. */
const losses: Partial<Readonly<Record<keyof typeof acts, string>>> = {
  invalidate: 'all data on this host are taken for bad, and fetched from the peer',
  'invalidate-remote': 'all data of the peer are taken for bad, and sent to it',
  'new-current-uuid':
    'what differs between the two hosts now is never resynced: they must be all zeros, or alike',
};

/** `bofh drbd up RESOURCE`, and all others that take a resource alone. */
export async function change(
  runtime: Runtime,
  name: string,
  to: keyof typeof acts,
  { discardMyData }: Options = {},
): Promise<number> {
  const { words } = acts[to];
  const args: Args = { name, ...(discardMyData === true ? { discardMyData } : {}) };
  const loss =
    args.discardMyData === true
      ? `what was written to ${name} on this host since the two were apart is lost`
      : losses[to];
  return changeOf(runtime, {
    destroys: loss === undefined ? [] : [loss],
    act: (): Promise<unknown> => acts[to].act(args),
    answer: async (_, bofh): Promise<Answer<DrbdChange>> => {
      const { state } = await withBofh(bofh, () => drbd.resource(name));
      const devices = (state?.volumes ?? []).map(({ minor }) => `/dev/drbd${String(minor)}`);
      const where = devices.length === 0 ? '' : `: ${devices.join(', ')}`;
      return {
        data: { resource: name, role: state?.role ?? null, devices },
        lines: [`${name} ${words}${where}`],
      };
    },
  });
}

import * as fc from 'fast-check';
import type { FaultMode } from '../rig/index.ts';

// The same idea as test/support/undo/soak, on real Xen and LVM: what a sequence does, and what befalls it, are drawn by a
// seed. There are fewer sorts of both, for a trial takes seconds and not milliseconds.

/** The names that trials work with; `web3` is there from before. */
export const volumes = ['web1-root', 'web1-data', 'web2-root'] as const;
export const old = 'web3-root';
const note = '/etc/xen/web3.note';

/** One part of a sequence, with what shows that it was done. */
export interface Part {
  readonly call: string;
  /** Shell; succeeds when the effect is there. */
  readonly done: string;
}

/** What sequences are made of. */
export const parts: Readonly<Record<string, (volume: string) => Part>> = {
  volume: (volume) => ({
    call: `await tx.lvm.createLv({ vg: 'vg0', name: '${volume}', size: '16m' });`,
    done: `lvs vg0/${volume}`,
  }),
  filled: (volume) => ({
    call: `{
      const lv = await tx.lvm.createLv({ vg: 'vg0', name: '${volume}', size: '48m' });
      const fs = await tx.filesystem.create({ device: lv.path, type: 'ext4' });
      const at = await tx.temporary.mount.mount({ device: lv.path, type: 'ext4', mode: 'rw' });
      await tx.copy.unpack({ source: '/srv/guest.tar', root: at.path, device: lv.path, filesystem: fs.uuid, files: [] });
      await at.release();
    }`,
    done: `blkid -p -s TYPE -o value /dev/vg0/${volume} | grep -x ext4`,
  }),
  swap: (volume) => ({
    call: `{
      const lv = await tx.lvm.createLv({ vg: 'vg0', name: '${volume}', size: '16m' });
      await tx.filesystem.create({ device: lv.path, type: 'swap' });
    }`,
    done: `blkid -p -s TYPE -o value /dev/vg0/${volume} | grep -x swap`,
  }),
  file: (volume) => ({
    call: `await tx.file.create({ path: '/etc/xen/${volume}.note', content: 'ours\\n', mode: 0o600 });`,
    done: `grep -x ours /etc/xen/${volume}.note`,
  }),
  'remove volume': () => ({
    call: `await tx.lvm.removeLv({ vg: 'vg0', name: '${old}' });`,
    done: `! lvs vg0/${old}`,
  }),
  'remove file': () => ({
    call: `await tx.file.remove({ path: '${note}' });`,
    done: `! test -e ${note}`,
  }),
};

/** Shell: what is there from before, and back to where the machine began. */
export const setUp = `lvcreate --quiet -y -W y -L 48M -n ${old} vg0 && mkfs.ext4 -q /dev/vg0/${old} && echo kept > ${note} && udevadm settle && sync`;
export const clear = `for lv in ${[...volumes, old].join(' ')}; do lvs vg0/$lv >/dev/null 2>&1 && lvremove -q -y vg0/$lv; done; rm -f /etc/xen/web?-*.note ${note}; udevadm settle`;

/** The programs that each part has changes made by, in its body, its undo, and after the commit. */
const programs: Readonly<Record<string, readonly string[]>> = {
  volume: ['lvcreate', 'lvchange', 'lvremove'],
  filled: ['lvcreate', 'mkfs.ext4', 'mount', 'tar', 'umount', 'lvremove'],
  swap: ['lvcreate', 'mkswap', 'lvremove'],
  'remove volume': ['lvchange', 'lvrename', 'lvremove'],
};

/** The program that the trouble is over: one that the sequence has a use for, if there is one. */
export function toolOf({ of, trouble }: Drawn): string {
  const used = [...new Set(of.flatMap(({ part }) => programs[part] ?? []))];
  return ('pick' in trouble ? used[trouble.pick % Math.max(1, used.length)] : undefined) ?? 'lvcreate';
}

const faults: readonly FaultMode[] = ['fail', 'act-then-fail', 'killed', 'act-then-killed', 'pretend'];

/** One trial. */
export interface Drawn {
  readonly of: readonly { readonly part: string; readonly volume: (typeof volumes)[number] }[];
  readonly ends: 'well' | 'badly';
  readonly trouble:
    | { readonly what: 'nothing' }
    | {
        readonly what: 'a tool';
        readonly pick: number;
        readonly mode: FaultMode;
        readonly nth: number;
      }
    | { readonly what: 'SIGKILL at a line'; readonly line: number }
    | {
        readonly what: 'SIGKILL while a tool runs';
        readonly pick: number;
        readonly mode: 'hang' | 'act-then-hang';
      };
  /** After a crash, before the recovery, another process takes a free name. */
  readonly stranger: boolean;
}

/** Any trial. */
export const drawn: fc.Arbitrary<Drawn> = fc.record({
  of: fc.uniqueArray(
    fc.record({ part: fc.constantFrom(...Object.keys(parts)), volume: fc.constantFrom(...volumes) }),
    {
      minLength: 1,
      maxLength: 4,
      // Each name once; there is one thing of each sort to remove.
      selector: ({ part, volume }) =>
        part.startsWith('remove') ? part : part === 'file' ? `file ${volume}` : volume,
    },
  ),
  ends: fc.constantFrom('well' as const, 'well' as const, 'badly' as const),
  trouble: fc.oneof(
    { weight: 1, arbitrary: fc.record({ what: fc.constant('nothing' as const) }) },
    {
      weight: 4,
      arbitrary: fc.record({
        what: fc.constant('a tool' as const),
        pick: fc.nat(),
        mode: fc.constantFrom(...faults),
        nth: fc.integer({ min: 1, max: 2 }),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        what: fc.constant('SIGKILL at a line' as const),
        line: fc.integer({ min: 1, max: 14 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        what: fc.constant('SIGKILL while a tool runs' as const),
        pick: fc.nat(),
        mode: fc.constantFrom('hang' as const, 'act-then-hang' as const),
      }),
    },
  ),
  stranger: fc.boolean(),
});

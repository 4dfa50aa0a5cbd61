import { layFault, until } from '../rig/index.ts';
import { btrfs } from './operations/btrfs.ts';
import { copy } from './operations/copy.ts';
import { crypt } from './operations/crypt.ts';
import { block } from './operations/block.ts';
import { filesystem } from './operations/filesystem.ts';
import { lvm } from './operations/lvm.ts';
import { root } from './operations/shell.ts';
import { prepare, script } from './operation-trials.ts';
import type { OneOperation } from './operations.ts';
import { background, expectAsBefore, guest, run, type Stage } from './stage.ts';
import type { Trial } from './trials.ts';

/** What another process does before recovery, and what must still exist afterwards. */
interface Written {
  readonly name: string;
  readonly specimen: Pick<OneOperation, 'setUp' | 'call' | 'clear'>;
  /** Shell: they write. */
  readonly write: string;
  /** Shell: prints what they wrote, or a hash of it. */
  readonly read: string;
  /** Recovery sees that it is not what the order was about, leaves it untouched and closes the journal. */
  readonly leftUntouched?: true;
}

/** After the commit. */
interface Overtaken extends Written {
  /** The program that would do it, which fails at first. */
  readonly tool: string;
  readonly words: readonly string[];
}

const place = `/run/${guest}-others`;
const text = 'accounts of somebody else';

/** A file, through a mount of their own that ends. */
function fileOn(device: string): string {
  return `mkdir -p ${place} && mount ${device} ${place} && echo '${text}' > ${place}/ledger.txt && umount ${place} && rmdir ${place} && sync`;
}

/** Without a mount, which would write. */
function fileFrom(device: string): string {
  return `debugfs -R 'cat ledger.txt' ${device} 2>/dev/null | sha256sum`;
}

const image = `/srv/${guest}.img`;
const snapshot = `/dev/vg0/${guest}-snap`;
const pool = `/srv/${guest}-pool`;
const key = '/run/rig-key';
const open = `cryptsetup open --type luks --key-file=- ${root} ${guest}-others < ${key}`;

const contents: readonly Written[] = [
  {
    name: 'lvm.lv.create: a filesystem on it',
    specimen: { ...lvm.createLv, clear: 'true' },
    write: `mkfs.ext4 -q ${root} && sync`,
    read: `sha256sum < ${root}`,
  },
  {
    name: 'filesystem.create: a file in it',
    specimen: filesystem.create,
    write: fileOn(root),
    read: fileFrom(root),
  },
  {
    name: 'copy.unpack: a file beside it',
    specimen: copy.unpack,
    write: `echo '${text}' > /mnt/${guest}/ledger.txt && sync`,
    read: `sha256sum < /mnt/${guest}/ledger.txt`,
  },
  {
    name: 'lvm.snapshot.create: a file in it',
    specimen: lvm.createSnapshot,
    write: fileOn(snapshot),
    read: fileFrom(snapshot),
  },
  {
    name: 'block.image.create: a filesystem in it',
    specimen: {
      setUp: 'true',
      call: `tx.block.createImage({ file: '${image}', size: '16m' })`,
      clear: `rm -f ${image}`,
    },
    write: `mkfs.ext4 -q -F ${image} && sync`,
    read: `sha256sum < ${image}`,
  },
  {
    name: 'crypt.format: a filesystem within it',
    specimen: crypt.format,
    write: `${open} && mkfs.ext4 -q /dev/mapper/${guest}-others && cryptsetup close ${guest}-others && sync`,
    read: `sha256sum < ${root}`,
  },
  {
    name: 'btrfs.subvolume.create: a file in it',
    specimen: btrfs.createSubvolume,
    write: `echo '${text}' > ${pool}/new/ledger.txt && sync`,
    read: `sha256sum < ${pool}/new/ledger.txt`,
  },
];

const gone = `"/dev/vg0/$(lvs --noheadings -o lv_name vg0 | grep -o 'bofh_gone_.*' | tr -d ' ')"`;

const orders: readonly Overtaken[] = [
  {
    name: 'lvm.lv.remove: activated, and a filesystem on it',
    specimen: lvm.removeLv,
    ...{ tool: 'lvremove', words: ['*bofh_gone*'] },
    write: `lvchange -q -ay -K ${gone} && mkfs.ext4 -q -F ${gone} && sync`,
    read: `sha256sum < ${gone}`,
  },
  {
    name: 'block.zero: a file in its filesystem',
    specimen: block.zero,
    ...{ tool: 'blkdiscard', words: ['--offset'], leftUntouched: true },
    write: fileOn(root),
    read: fileFrom(root),
  },
  {
    name: 'block.discard: a file in its filesystem',
    specimen: block.discard,
    ...{ tool: 'blkdiscard', words: ['--offset'], leftUntouched: true },
    write: fileOn(root),
    read: fileFrom(root),
  },
  {
    name: 'crypt.erase: another key',
    specimen: crypt.erase,
    ...{ tool: 'cryptsetup', words: ['luksErase'] },
    write: `cryptsetup luksAddKey -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file ${key} ${root} /etc/debian_version && sync`,
    read: `cryptsetup open --test-passphrase --key-file /etc/debian_version ${root} && echo opens`,
  },
];

/** Others write into what a killed sequence made, or use what is still to be destroyed. None of these needs Xen. */
export const othersTrials: readonly Trial[] = [
  ...contents.map(
    (each): Trial => ({
      group: 'others write into what a killed sequence made',
      name: each.name,
      run: (stage) => within(stage, each, () => killedInLaterStep(stage, each)),
    }),
  ),
  ...orders.map(
    (each): Trial => ({
      group: 'others use an object that is destroyed after the commit',
      name: each.name,
      run: (stage) => within(stage, each, () => committedAndOpen(stage, each)),
    }),
  ),
];

async function within(
  stage: Stage,
  { specimen, write, read, leftUntouched }: Written,
  act: () => Promise<unknown>,
): Promise<'as before'> {
  await prepare(stage, { ...specimen, act: { tool: '', words: [] } });
  await act();
  await stage.machine.run(write);
  const theirs = await textOf(stage, read);
  // At boot there is no user to confirm.
  await run(stage, 'bofh recover < /dev/null', leftUntouched === true ? 0 : 3);
  await expectKept(stage, read, theirs);
  const said = await run(stage, 'bofh recover --yes', leftUntouched === true ? 0 : 3);
  await expectKept(stage, read, theirs);
  if (leftUntouched !== true) await run(stage, wayOut(said), 0);
  await stage.machine.run(
    `${specimen.clear}; lvs --noheadings -o lv_name vg0 | grep -o 'bofh_gone_.*' | xargs -r -I{} lvremove -q -y vg0/{}; rm -f ${later}`,
    {
      check: 'return',
    },
  );
  await expectAsBefore(stage);
  return 'as before';
}

async function textOf({ machine }: Stage, read: string): Promise<string> {
  return (await machine.run(read)).stdout;
}

async function expectKept(stage: Stage, read: string, theirs: string): Promise<void> {
  const now = await textOf(stage, read);
  if (now !== theirs) throw new Error(`what they wrote was changed: ${theirs.trim()}, now ${now.trim()}`);
}

/** The command that the refusal prints. */
function wayOut(said: string): string {
  const discard = /bofh recover \w+ --discard \S+/.exec(said)?.[0];
  if (discard !== undefined) return discard;
  const id = /journal (?<id>[0-9a-f]{12})/.exec(said)?.groups?.['id'];
  if (!said.includes('--abandon') || id === undefined) throw new Error(`no way out is printed:\n${said}`);
  return `bofh recover --abandon ${id} --because 'others work there'`;
}

const later = `/srv/${guest}.later`;
const gate = `/run/${guest}-gate`;

/** A step later it waits, and is killed. */
async function killedInLaterStep(stage: Stage, { specimen }: Written): Promise<void> {
  const { machine } = stage;
  await machine.putText(
    '/root/others.ts',
    `import { writeFileSync } from 'node:fs';
import { atomic } from 'bofh';
await atomic('others', async (tx) => {
  await ${specimen.call};
  await tx.file.create({ path: '${later}', content: '', mode: 0o600 });
  writeFileSync('${gate}', 'here');
  await new Promise(() => setInterval(() => {}, 1000));
});
`,
  );
  await machine.run(`rm -f ${gate}`);
  const victim = await background(stage, 'bofh run /root/others.ts');
  await until({
    what: 'the script is at its gate',
    timeoutMs: 240_000,
    everyMs: 300,
    probe: async () => (await machine.run(`cat ${gate}`, { check: 'return' })).stdout.trim() || undefined,
  });
  await machine.run(`kill -9 ${String(victim.pid)}`);
  await victim.ended;
  await machine.run(`rm -f ${gate}`);
}

/** Its program fails after the commit, so that the journal stays open. */
async function committedAndOpen(stage: Stage, { tool, words }: Overtaken): Promise<void> {
  const fault = await layFault(stage.machine, { tool, words, times: 1, mode: 'fail' });
  try {
    await run(stage, `bofh run ${script}`, 0, 3);
    if ((await fault.hits()) < 1) throw new Error(`the fault over ${tool} was never met`);
  } finally {
    await fault.remove();
  }
}

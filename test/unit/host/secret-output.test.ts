import { readdirSync } from 'node:fs';
import { inspect } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { mappingEnds } from '../../../src/blockdevice/reach.ts';
import { type Command, nothing, tools } from '../../../src/command/index.ts';
import { answerOf, failureOf, type Ran } from '../../../src/host/answer.ts';
import { simulatedBofh, type SimulatedHost } from '../../../src/simulator/index.ts';
import { withoutWaiting } from '../../../src/simulator/matrix/clock.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { type Specimen, specimens } from '../../support/undo/specimens.ts';
import { neighbourhood } from '../../support/undo/stage.ts';
import { drbdAdjustments } from '../../../src/drbd/volume-commands.ts';
import { changing, hostWith } from './support.ts';

const canary = 'Geheim-4c1f8d20b7';

/** What the tools that know a secret write with it to stderr, too. Any may begin with a bare word. */
const sayings = [
  canary,
  `/etc/drbd.d/r0.res:5: Parse error: ';' expected,\n\tbut got '${canary}'\n`,
  `Command 'drbdsetup-84 net-options ipv4:10.0.0.1:7788 --shared-secret=${canary} --protocol=C' terminated with exit code 10\n`,
  `net { shared-secret "${canary}"; }`,
  `/etc/xen/web1.cfg:3: config parsing error near \`${canary}': lexical error\n`,
];

/** By the program and its first word: nothing that these write is anybody's secret. */
const harmless: Readonly<Record<string, string>> = {
  'lvm and devices': `blkdiscard blkid losetup lvchange lvconvert lvcreate lvextend lvm lvreduce lvremove lvrename lvs partx
    pvchange pvcreate pvmove pvremove pvresize pvs sfdisk udevadm vgcreate vgextend vgreduce vgremove vgrename vgs wipefs`,
  filesystems: `btrfs btrfstune debugfs dumpe2fs e2fsck e2label fatlabel fsck.vfat fstrim mkfs.btrfs mkfs.ext2 mkfs.ext3 mkfs.ext4
    mkfs.vfat mkfs.xfs mkswap mount resize2fs swaplabel tune2fs umount xfs_growfs xfs_io xfs_logprint xfs_repair`,
  files:
    'chmod chown cp dd fallocate find getfacl getfattr ln ls mv qemu-img setfacl setfattr sha256sum stat sync tar truncate',
  network: 'ip',
  'units of systemd, and how long to wait': 'sleep systemctl',
  'kernel parameters; secret ones are refused': 'sysctl',
  'kernel modules': 'modprobe rmmod',
  'scripts of users, whose output docs/provisioning.md says is shown': 'sh',
  'cryptsetup, which never prints a key unless it is told to dump one': `cryptsetup:close cryptsetup:isLuks
    cryptsetup:luksAddKey cryptsetup:luksErase cryptsetup:luksFormat cryptsetup:luksHeaderBackup cryptsetup:luksHeaderRestore
    cryptsetup:luksKillSlot cryptsetup:open cryptsetup:reencrypt cryptsetup:repair cryptsetup:resize cryptsetup:status
    dmsetup:rename`,
  'drbd, where no configuration is read':
    'drbdadm:--version drbdadm:get-gi drbdmeta drbdsetup:events2 drbdsetup:down',
  xen: 'xl:block-attach xl:block-detach xl:destroy xl:info xl:list -v xl:mem-set xl:network-attach xl:network-detach xl:pause xl:sched-credit xl:sched-credit2 xl:shutdown xl:unpause xl:vcpu-set xenstore-ls',
  'a guest agent, asked for the state of its filesystems': 'perl:-',
  'names of packages, and URLs without a password': `mmdebstrap unshare:--mount env apt-cache apt-get apt-mark cat dpkg dpkg-deb
    dpkg-query env`,
  'users and groups, without a password': 'getent gpasswd groupadd groupdel useradd userdel usermod',
  'one number of a superblock': 'od:--address-radix=n --format=u4 xfs_db',
};

const harmlessWords = Object.values(harmless).join(' ').split(/\s+/);

/** Tools that no specimen starts. */
const elsewhere = [
  'chage',
  'ip',
  'logger',
  'lsattr',
  'lvs',
  'rmmod',
  'mkfs.ext2',
  'pvchange',
  'pvck',
  'systemd-run',
  'udevadm',
  'unshare',
  'vgs',
  'visudo',
];

/** Every command that an operation has been seen to run or to ask, one of each program and option. */
const seen = new Map<string, Command<unknown>>();

function recording(host: SimulatedHost): SimulatedHost {
  const record = (command: Command<unknown>): void => {
    const words = command.argv.filter((word) => !word.startsWith('/') && !/[0-9a-f]{8}/.test(word));
    seen.set([command.tool, ...words].join(' '), command);
  };
  const wrapped = <T extends object>(target: T): T =>
    new Proxy(target, {
      get: (of, name): unknown => {
        const value: unknown = Reflect.get(of, name, of);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]): unknown => {
          if (name === 'run') record(args[0] as Command<unknown>);
          if (name === 'pipe') (args[0] as { commands: Command<unknown>[] }).commands.forEach(record);
          const result: unknown = Reflect.apply(value, of, args);
          return name === 'during' ? wrapped(result as object) : result;
        };
      },
    });
  return wrapped(host);
}

async function watch({ stage }: Specimen): Promise<void> {
  const made = neighbourhood();
  const act = stage(made);
  const bofh = simulatedBofh({ host: made });
  const host = recording(made);
  const told = { ...bofh, host, engine: { ...bofh.engine, host }, signals: {} };
  await withoutWaiting(() => withBofh(told, () => atomic('test', act))).catch(() => undefined);
}

beforeAll(async () => {
  const all = Object.values(specimens).flatMap((kinds) =>
    Object.values(kinds as Readonly<Record<string, readonly Specimen[]>>).flat(),
  );
  for (const specimen of all) await watch(specimen);
  seen.set('dmsetup table', mappingEnds('vg0-x', '253:0'));
});

function ranWith({ tool, argv }: Command<unknown>, end: Ran['end'], stdout: string, stderr: string): Ran {
  const output = (text: string) => ({ whole: () => Buffer.from(text), tail: () => Buffer.from(text) });
  const program = { tool, file: `/usr/sbin/${tool}`, argv };
  return { program, end, stdout: output(stdout), stderr: output(stderr) };
}

/** Everything that can be read off an error: what it says, what hangs on it, and what caused it. */
function all(error: unknown): string {
  return `${String(error)} ${inspect(error, { depth: 20, showHidden: true })} ${JSON.stringify(error)}`;
}

async function toldBy(command: Command<unknown>): Promise<string> {
  const setting = { version: async () => undefined };
  const own = command.tool === 'xl' ? /xen/ : /drbd|secret/;
  let told = '';
  for (const said of sayings.filter((each) => each === canary || own.test(each)))
    for (const stdout of [said, `{"${said}"`, `<config>${said}`]) {
      const exitCode = command.accepts?.[0] ?? 0;
      const answer = ranWith(command, { how: 'exit', exitCode }, stdout, said);
      if (command.parse !== nothing)
        told += all(
          await answerOf(answer, command, setting).then(
            () => 'parsed',
            (error: unknown) => error,
          ),
        );
      // A bare word on stderr is in the words of no tool.
      const stderr = said === canary ? '' : said;
      for (const end of [
        { how: 'exit', exitCode: 77 },
        { how: 'signal', signal: 'SIGSEGV' },
        { how: 'not-started', why: 'why' },
      ] as const)
        told += all(failureOf(ranWith(command, end, stdout, stderr), command));
    }
  return told;
}

describe('the output of a program that failed or could not be parsed', () => {
  it('is in no error where it can contain a secret', async () => {
    const hidden = [...seen.values()].filter(({ shownOf }) => shownOf !== undefined);
    expect(new Set(hidden.map(({ tool }) => tool))).toEqual(
      new Set(
        'age apt-get chpasswd cryptsetup dd dmsetup drbdadm drbdsetup findmnt od qemu-io setpriv sha256sum tee xfs_db xl zstd'.split(
          ' ',
        ),
      ),
    );
    // Those that show stderr as it is get nothing of a configuration there.
    const quoting = hidden.filter(({ tool }) => tool === 'drbdadm' || tool === 'xl');
    for (const command of hidden) {
      const told = await toldBy(quoting.includes(command) ? command : { ...command, shownOf: () => '' });
      expect([command.tool, ...command.argv, told.includes(canary)]).toEqual([
        command.tool,
        ...command.argv,
        false,
      ]);
    }
  });

  it('is classified for every command: a new one is secret, or listed here as harmless', () => {
    const undecided = [...seen].flatMap(([line, { tool, argv, shownOf }]) => {
      const names = [tool, `${tool}:${argv[0] ?? ''}`, `${tool}:${argv.slice(0, 2).join(' ')}`];
      return shownOf !== undefined ||
        names.some((name) => ` ${harmlessWords.join(' ')} `.includes(` ${name} `))
        ? []
        : [line];
    });
    expect(undecided).toEqual([]);
    const unseen = Object.keys(tools).filter(
      (tool) => ![...seen.values()].some((each) => each.tool === tool),
    );
    expect(unseen.filter((tool) => !elsewhere.includes(tool))).toEqual([]);
  });

  it('of an adjustment contains its changes, without the shared secret', () => {
    const stdout = `drbdsetup-84 net-options ipv4:10.0.0.1:7788 --cram-hmac-alg=sha1 --shared-secret=${canary}\n`;
    expect(drbdAdjustments('r0').parse({ exitCode: 0, stdout, stderr: '' })).toEqual([
      'drbdsetup-84 net-options ipv4:10.0.0.1:7788 --cram-hmac-alg=… --shared-secret=…',
    ]);
  });

  it('is not kept beside the journal where it can contain a secret', async () => {
    const { change, step } = hostWith(`echo ${canary}; echo ${canary} >&2; exit 3`);
    const kept = await rejectionOf(change.run(changing()));
    expect(all(kept)).toContain(canary);
    expect(readdirSync(step.outputs).length).toBe(2);

    const error = await rejectionOf(change.run(changing([], { shownOf: () => '' })));
    expect(all(error)).not.toContain(canary);
    expect(readdirSync(step.outputs).length).toBe(2);
  });
});

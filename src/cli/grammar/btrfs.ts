import { type Command, Option } from 'commander';
import { addDevices } from './btrfs-device.ts';
import { addMaintenance } from './btrfs-maintenance.ts';
import { addQuota } from './btrfs-quota.ts';
import type { Verb } from './verb.ts';

export function addBtrfs(btrfs: Command, verb: Verb): void {
  addReads(btrfs, verb);
  addChanges(btrfs, verb);
  addStructure(btrfs, verb);
  addRotation(btrfs, verb);
  addSend(btrfs, verb);
  addMaintenance(btrfs, verb);
  addDevices(btrfs, verb);
  addQuota(btrfs, verb);
  const snapshot = btrfs.command('snapshot').description('snapshots of subvolumes');
  const create = snapshot
    .command('create')
    .description('take a snapshot of a subvolume, read-only unless told otherwise')
    .argument('<source>')
    .argument('<path>')
    .option('--rw', 'a writable one');
  verb(create, 'changes', async (runtime, [source = '', path = ''], { rw }) =>
    (await import('../btrfs-change.ts')).snapshot(runtime, {
      source,
      path,
      mode: rw === true ? 'rw' : 'ro',
    }),
  );
  const rotate = snapshot
    .command('rotate')
    .description('take a read-only snapshot TARGET/LABEL.TIME, and delete the oldest of that label')
    .argument('<source>')
    .argument('<target>')
    .requiredOption('--label <LABEL>', 'daily, weekly, monthly, yearly, or a word of your own')
    .option('--keep <NUMBER>', 'how many are left (daily 21, weekly 12, monthly 36, yearly 10)');
  verb(rotate, 'changes', async (runtime, [source = '', target = ''], { label, keep }) =>
    (await import('../btrfs-rotate.ts')).rotate(runtime, {
      source,
      target,
      label: String(label),
      ...(keep === undefined ? {} : { keep: String(keep) }),
    }),
  );
}

function addReads(btrfs: Command, verb: Verb): void {
  const reading = (name: string, description: string) =>
    btrfs.command(name).description(description).argument('<path>');
  verb(
    reading('list', 'every subvolume of the filesystem of a path'),
    'reads',
    async (runtime, [path = '']) => (await import('../btrfs.ts')).list(runtime, path),
  );
  verb(reading('show', 'one subvolume'), 'reads', async (runtime, [path = '']) =>
    (await import('../btrfs.ts')).show(runtime, path),
  );
  verb(reading('usage', 'the space of a filesystem'), 'reads', async (runtime, [path = '']) =>
    (await import('../btrfs.ts')).usage(runtime, path),
  );
}

function addChanges(btrfs: Command, verb: Verb): void {
  const changing = (name: string, description: string) =>
    btrfs.command(name).description(description).argument('<path>');
  verb(changing('create', 'make an empty subvolume'), 'changes', async (runtime, [path = '']) =>
    (await import('../btrfs-change.ts')).create(runtime, path),
  );
  verb(changing('delete', 'delete a subvolume that nobody uses'), 'changes', async (runtime, [path = '']) =>
    (await import('../btrfs-change.ts')).remove(runtime, path),
  );
  verb(
    changing('set-default', 'choose the subvolume that is mounted when none is named'),
    'changes',
    async (runtime, [path = '']) => (await import('../btrfs-change.ts')).setDefault(runtime, path),
  );
  verb(
    changing('set-mode', 'make a subvolume read-only or writable').argument('<ro|rw>'),
    'changes',
    async (runtime, [path = '', mode = '']) =>
      (await import('../btrfs-change.ts')).setMode(runtime, path, mode),
  );
}

function addStructure(btrfs: Command, verb: Verb): void {
  const create = btrfs
    .command('create-base-structure')
    .description(
      'move the data in the top level of a filesystem to subvolumes/NAME, and make snapshots/ beside it',
    )
    .argument('<path>', 'where the top level is mounted')
    .argument('<name>')
    .option('--set-default', 'what is mounted when no subvolume is named is the new one');
  verb(create, 'changes', async (runtime, [path = '', name = ''], { setDefault }) =>
    (await import('../btrfs-structure.ts')).createBaseStructure(runtime, {
      ...{ path, name },
      default: setDefault === true ? 'set' : 'kept',
    }),
  );
}

function addSend(btrfs: Command, verb: Verb): void {
  const send = btrfs
    .command('send')
    .description('send a read-only snapshot into a directory of a btrfs, into a new file, or onto a device')
    .argument('<snapshot>')
    .addOption(
      new Option('--to <DIR>', 'a directory of this or another btrfs').conflicts(['toFile', 'toDevice']),
    )
    .addOption(
      new Option('--to-file <FILE>', 'a new file, for bofh btrfs receive').conflicts(['name', 'toDevice']),
    )
    .addOption(
      new Option('--to-device <DEVICE>', 'a device that nobody uses; what is on it is lost').conflicts(
        'name',
      ),
    )
    .option('--overwrite <UUID|TYPE>', 'exactly what is on the device and may be lost; with --to-device')
    .option('--parent <SNAPSHOT>', 'send only what differs from this one, which the receiver has')
    .option('--name <NAME>', 'what it is called there; with --to');
  verb(send, 'changes', async (runtime, [source = ''], { to, toFile, toDevice, overwrite, parent, name }) =>
    (await import('../btrfs-send.ts')).send(runtime, {
      source,
      ...(to === undefined ? {} : { to: String(to) }),
      ...(toFile === undefined ? {} : { toFile: String(toFile) }),
      ...(toDevice === undefined ? {} : { toDevice: String(toDevice) }),
      ...(overwrite === undefined ? {} : { overwrite: String(overwrite) }),
      ...(parent === undefined ? {} : { parent: String(parent) }),
      ...(name === undefined ? {} : { name: String(name) }),
    }),
  );
  const receive = btrfs
    .command('receive')
    .description('receive the stream in a file or on a device: a read-only subvolume, whole or not at all')
    .argument('<file|device>')
    .requiredOption('--into <DIR>', 'a directory of a btrfs')
    .option('--name <NAME>', 'what it is called there; what the stream calls it unless said otherwise');
  verb(receive, 'changes', async (runtime, [file = ''], { into, name }) =>
    (await import('../btrfs-send.ts')).receive(runtime, {
      ...{ file, into: String(into) },
      ...(name === undefined ? {} : { name: String(name) }),
    }),
  );
}

function addRotation(btrfs: Command, verb: Verb): void {
  const rotation = btrfs.command('rotation').description('snapshots that systemd has rotated by itself');
  const install = rotation
    .command('install')
    .description('write the service and the timer of a rotation; systemctl enables it')
    .argument('<source>')
    .argument('<target>')
    .requiredOption('--label <LABEL>', 'daily, weekly, monthly, yearly, or a word of your own')
    .option('--keep <NUMBER>', 'how many are left (daily 21, weekly 12, monthly 36, yearly 10)')
    .option('--calendar <EVENT>', 'when, as OnCalendar= has it (daily, weekly, monthly, yearly: their own)');
  verb(install, 'changes', async (runtime, [source = '', target = ''], { label, keep, calendar }) => {
    const code = await import('../rotation.ts');
    return code.install(runtime, {
      source,
      target,
      label: String(label),
      ...(keep === undefined ? {} : { keep: code.counted(String(keep)) }),
      ...(calendar === undefined ? {} : { calendar: String(calendar) }),
    });
  });
  const remove = rotation
    .command('remove')
    .description('remove both units, which systemctl has disabled; the snapshots stay')
    .argument('<source>')
    .requiredOption('--label <LABEL>', 'of the rotation');
  verb(remove, 'changes', async (runtime, [source = ''], { label }) =>
    (await import('../rotation.ts')).remove(runtime, { source, label: String(label) }),
  );
  verb(
    rotation.command('status').description('which rotations are installed, and whether they are enabled'),
    'reads',
    async (runtime) => (await import('../rotation.ts')).status(runtime),
  );
}

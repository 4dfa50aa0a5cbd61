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
    .description('create a snapshot of a subvolume (default: read-only)')
    .argument('<source>')
    .argument('<path>')
    .option('--rw', 'make the snapshot writable');
  verb(create, 'changes', async (runtime, [source = '', path = ''], { rw }) =>
    (await import('../btrfs/change.ts')).snapshot(runtime, {
      source,
      path,
      mode: rw === true ? 'rw' : 'ro',
    }),
  );
  const rotate = snapshot
    .command('rotate')
    .description('create the read-only snapshot TARGET/LABEL.TIME and remove the oldest of that label')
    .argument('<source>')
    .argument('<target>')
    .requiredOption('--label <LABEL>', 'daily, weekly, monthly, yearly or any other word')
    .option(
      '--keep <NUMBER>',
      'how many snapshots to keep (default: daily 21, weekly 12, monthly 36, yearly 10)',
    );
  verb(rotate, 'changes', async (runtime, [source = '', target = ''], { label, keep }) =>
    (await import('../btrfs/rotate.ts')).rotate(runtime, {
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
    reading('list', 'list the subvolumes of the filesystem that a path is on'),
    'reads',
    async (runtime, [path = '']) => (await import('../btrfs/btrfs.ts')).list(runtime, path),
  );
  verb(reading('show', 'show one subvolume'), 'reads', async (runtime, [path = '']) =>
    (await import('../btrfs/btrfs.ts')).show(runtime, path),
  );
  verb(reading('usage', 'show the space used on a filesystem'), 'reads', async (runtime, [path = '']) =>
    (await import('../btrfs/btrfs.ts')).usage(runtime, path),
  );
}

function addChanges(btrfs: Command, verb: Verb): void {
  const changing = (name: string, description: string) =>
    btrfs.command(name).description(description).argument('<path>');
  verb(changing('create', 'create an empty subvolume'), 'changes', async (runtime, [path = '']) =>
    (await import('../btrfs/change.ts')).create(runtime, path),
  );
  verb(changing('remove', 'remove an unused subvolume'), 'changes', async (runtime, [path = '']) =>
    (await import('../btrfs/change.ts')).remove(runtime, path),
  );
  verb(
    changing('set-default', 'set the subvolume that is mounted by default'),
    'changes',
    async (runtime, [path = '']) => (await import('../btrfs/change.ts')).setDefault(runtime, path),
  );
  verb(
    changing('set-mode', 'make a subvolume read-only or writable').argument('<ro|rw>'),
    'changes',
    async (runtime, [path = '', mode = '']) =>
      (await import('../btrfs/change.ts')).setMode(runtime, path, mode),
  );
}

function addStructure(btrfs: Command, verb: Verb): void {
  const create = btrfs
    .command('create-base-structure')
    .description(
      'move the data in the top level of a filesystem to subvolumes/NAME, and create the directory snapshots/',
    )
    .argument('<path>', 'where the top level is mounted')
    .argument('<name>')
    .option('--set-default', 'also make it the default subvolume');
  verb(create, 'changes', async (runtime, [path = '', name = ''], { setDefault }) =>
    (await import('../btrfs/structure.ts')).createBaseStructure(runtime, {
      ...{ path, name },
      default: setDefault === true ? 'set' : 'kept',
    }),
  );
}

function addSend(btrfs: Command, verb: Verb): void {
  const send = btrfs
    .command('send')
    .description('send a read-only snapshot to a directory on a btrfs, to a new file or to a device')
    .argument('<snapshot>')
    .addOption(
      new Option('--to <DIR>', 'directory on this or another btrfs').conflicts(['toFile', 'toDevice']),
    )
    .addOption(
      new Option('--to-file <FILE>', 'new file, for bofh btrfs receive').conflicts(['name', 'toDevice']),
    )
    .addOption(new Option('--to-device <DEVICE>', 'unused device; its content is lost').conflicts('name'))
    .option('--overwrite <UUID|TYPE>', 'with --to-device: UUID, or type, of the content to overwrite')
    .option(
      '--parent <SNAPSHOT>',
      'send only the differences from this snapshot, which the receiver must have',
    )
    .option('--name <NAME>', 'with --to: name of the received subvolume');
  verb(send, 'changes', async (runtime, [source = ''], { to, toFile, toDevice, overwrite, parent, name }) =>
    (await import('../btrfs/send.ts')).send(runtime, {
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
    .description(
      'receive a stream from a file or a device as a read-only subvolume, completely or not at all',
    )
    .argument('<file|device>')
    .requiredOption('--into <DIR>', 'directory on a btrfs')
    .option('--name <NAME>', 'name of the subvolume (default: the name in the stream)');
  verb(receive, 'changes', async (runtime, [file = ''], { into, name }) =>
    (await import('../btrfs/send.ts')).receive(runtime, {
      ...{ file, into: String(into) },
      ...(name === undefined ? {} : { name: String(name) }),
    }),
  );
}

function addRotation(btrfs: Command, verb: Verb): void {
  const rotation = btrfs.command('rotation').description('snapshot rotation by systemd timers');
  const install = rotation
    .command('install')
    .description('write the systemd service and timer of a snapshot rotation; enable it with systemctl')
    .argument('<source>')
    .argument('<target>')
    .requiredOption('--label <LABEL>', 'daily, weekly, monthly, yearly or any other word')
    .option(
      '--keep <NUMBER>',
      'how many snapshots to keep (default: daily 21, weekly 12, monthly 36, yearly 10)',
    )
    .option(
      '--calendar <EVENT>',
      'when to run, as in OnCalendar= (default for daily, weekly, monthly and yearly: the label)',
    );
  verb(install, 'changes', async (runtime, [source = '', target = ''], { label, keep, calendar }) => {
    const code = await import('../btrfs/rotation.ts');
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
    .description('remove both units after systemctl disable; snapshots are kept')
    .argument('<source>')
    .requiredOption('--label <LABEL>', 'label of the rotation');
  verb(remove, 'changes', async (runtime, [source = ''], { label }) =>
    (await import('../btrfs/rotation.ts')).remove(runtime, { source, label: String(label) }),
  );
  verb(
    rotation.command('status').description('show which rotations are installed and enabled'),
    'reads',
    async (runtime) => (await import('../btrfs/rotation.ts')).status(runtime),
  );
}

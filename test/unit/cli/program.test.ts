import { describe, expect, it } from 'vitest';
import { nouns } from '../../../src/cli/verbs/index.ts';
import type { Noun, VerbEntry } from '../../../src/cli/runtime/verb.ts';
import { type Invocation, program } from '../../../src/cli/runtime/program.ts';
import { containing } from './support/containing.ts';

async function parsed(...args: readonly string[]): Promise<Invocation> {
  const seen: Invocation[] = [];
  const commands = await program(args, async (invocation) => {
    seen.push(invocation);
  });
  await commands.parseAsync([...args], { from: 'user' });
  const [only] = seen;
  if (only === undefined) throw new Error('no verb was called');
  return only;
}

describe('the options of every verb', () => {
  const all = ['--json', '--dry-run', '--yes', '--wait', '60s', '--site', 's.ts', '--state-dir', '/s'];
  it.each([
    ['before the noun', [...all, 'xen', 'list']],
    ['between noun and verb', ['xen', ...all, 'list']],
    ['after the verb', ['xen', 'list', ...all]],
    ['on all sides', ['--json', '--dry-run', 'xen', '--yes', '--wait', '60s', 'list', ...all.slice(5)]],
  ])('are accepted %s', async (_where, args) => {
    const { options, verb } = await parsed(...args);

    expect(verb).toBe('xen list');
    expect(options).toMatchObject({
      json: true,
      dryRun: true,
      yes: true,
      wait: '60s',
      site: 's.ts',
      stateDir: '/s',
    });
  });

  it('are absent unless typed', async () => {
    expect((await parsed('xen', 'list')).options).toEqual({});
  });
});

describe('a script', () => {
  it('gets every argument after its name, also those that look like options of bofh', async () => {
    const { options } = await parsed('run', '--yes', 'x.ts', '--json', 'a', '--help', '--', '-x');

    expect(options).toEqual({ yes: true });
  });
});

describe('reads and changes', () => {
  it.each([
    ['xen list', false],
    ['lvm list', false],
    ['lvm rename vg0/a b', true],
    ['lvm create vg0/a --size 1g', true],
    ['lvm resize vg0/a +1g', true],
    ['lvm resize vg0/a -1g --yes', true],
    ['lvm remove vg0/a', true],
    ['lvm pool resize vg0/pool --size +1g --metadata-size +64m', true],
    ['lvm tag vg0/a --add x', true],
    ['block tree', false],
    ['block tree /dev/vg0/web1', false],
    ['map', false],
    ['map --svg', false],
    ['map --html', false],
    ['host plan web.ts', false],
    ['host plan web.ts --diff', false],
    ['host apply web.ts', true],
    ['host facts', false],
    ['network list', false],
    ['network show eth0', false],
    ['drbd list', false],
    ['drbd status', false],
    ['drbd status web1', false],
    ['drbd show web1', false],
    ['drbd next', false],
    ['drbd next --on web1,web2', false],
    ['drbd up web1', true],
    ['drbd down web1', true],
    ['drbd primary web1', true],
    ['drbd secondary web1', true],
    ['drbd config create web1 --hosts a=::1:1 --volumes 0:/dev/x', true],
    ['drbd config remove web1', true],
    ['drbd create-md web1', true],
    ['drbd wipe-md web1 --overwrite 5e1f000000000001', true],
    ['drbd attach web1', true],
    ['drbd detach web1', true],
    ['drbd connect web1', true],
    ['drbd disconnect web1', true],
    ['drbd pause-sync web1', true],
    ['drbd resume-sync web1', true],
    ['drbd adjust web1', true],
    ['drbd resize web1', true],
    ['drbd new-current-uuid web1', true],
    ['drbd remove web1 --here --keep-volumes', true],
    ['drbd promote web1 --to b --on a,b', true],
    ['drbd remove web1 --keep-on b', true],
    ['drbd convert vg0/web1 --to b --name mirror --address a=10.0.0.1,b=10.0.0.2', true],
    ['drbd replace-peer web1 --to c --lost --vg data --address a=10.0.0.1,c=10.0.0.3', true],
    ['drbd replace-peer web1 --to c --from b --keep-volumes --port 7790', true],
    ['drbd replace-peer web1 --to c --keep-volume', true],
    ['drbd remove web1 --keep-volume', true],
    ['crypt open /dev/sdb --readonly', true],
    ['drbd demote web1', true],
    ['drbd grow web1 +1g', true],
    ['drbd create web1 --on a,b --size 1g --initial-sync full --primary b', true],
    ['drbd invalidate web1', true],
    ['drbd invalidate-remote web1', true],
    ['drbd verify web1', true],
    ['drbd connect web1 --discard-my-data', true],
    ['drbd wait-connect web1', false],
    ['drbd wait-sync web1 --time 5m', false],
    ['mount list --all', false],
    ['mount add /dev/vg0/a /mnt -o nodev --read-only', true],
    ['mount remove /mnt', true],
    ['filesystem check /dev/vg0/a', false],
    ['filesystem check /dev/vg0/a --repair', true],
    ['filesystem check /dev/vg0/a --repair --may-lose-files', true],
    ['filesystem show /dev/vg0/a', false],
    ['filesystem create /dev/vg0/a --type xfs --label a', true],
    ['filesystem label /dev/vg0/a', true],
    ['filesystem uuid /dev/vg0/a --add-seed', true],
    ['filesystem resize /dev/vg0/a max', true],
    ['filesystem trim /srv', true],
    ['lvm pv list', false],
    ['lvm pv create /dev/x --overwrite UUID', true],
    ['lvm vg list', false],
    ['lvm vg backup vg0 /root/vg0', true],
    ['lvm vg remove vg0 --devices', true],
    ['lvm pv remove /dev/x', true],
    ['lvm vg rename vg0 vg1', true],
    ['lvm pv resize /dev/x --size 1g', true],
    ['lvm pv move /dev/x --to /dev/y,/dev/z --volume vg0/a', true],
    ['lvm vg extend vg0 /dev/x /dev/y', true],
    ['lvm vg reduce vg0 /dev/x', true],
    ['lvm convert vg0/a raid1 --device /dev/x --at-once', true],
    ['lvm vg create vg1 /dev/x /dev/y --extent-size 1m', true],
    ['block resize /dev/vg0/web1 -1g', true],
    ['block resize /dev/vg0/web1 +5g --bare', true],
    ['mount fstab list', false],
    ['mount fstab add /dev/a /mnt --type ext4', true],
    ['mount crypttab list', false],
    ['mount crypttab remove web1', true],
    ['journal list', false],
    ['journal show x', false],
    ['journal resolve x 2 --undone', true],
    ['xen start x', true],
    ['xen start x --alone --time 1m', true],
    ['xen start-all', true],
    ['xen start-all --alone', true],
    ['vm create x --source tar:a --size 1g', true],
    [
      'vm create x --source tar:a --size 1g --disk a=1g,fs=xfs,mount=/srv --disk b=1g --extra vnc=1 --boot grub',
      true,
    ],
    ['vm set x memory=1g cpus=0-1', true],
    ['vm rename x y --restart --time 1m', true],
    ['vm backup x /srv --keep 7 --snapshot-size 2g', true],
    ['vm provision x web.ts --time 30m --snapshot-size 2g', true],
    ['vm list-backups /srv', false],
    ['vm verify /srv/x.json', false],
    ['vm restore /srv/x.json --as y --vg vg1 --thin pool --start', true],
    ['vm base create trixie --package vim --mirror http://localhost/debian --keyring k.gpg', true],
    ['vm base list', false],
    ['vm base remove trixie-2026-11-26', true],
    ['vm create x --source debian:trixie --size 1g', true],
    ['vm create x --source dir:a --size 1g', true],
    ['vm create x --source tar:a --size 1g --role web --role db --role-timeout 20m', true],
    ['vm snapshot create x y --size 1g', true],
    ['vm snapshot list x', false],
    ['vm snapshot restore x y', true],
    ['vm snapshot remove x y', true],
    ['vm disk create x data --size 1g --fs xfs --vg vg1 --thin pool', true],
    ['vm disk attach x /dev/vg0/y', true],
    ['vm disk detach x xvdb', true],
    ['vm disk remove x xvdb', true],
    ['vm interface attach x --bridge br0 --mac 00:16:3e:00:00:01', true],
    ['vm interface detach x 00:16:3e:00:00:01', true],
    ['vm pause x', true],
    ['vm wait x --for stopped', false],
    ['vm console x', false],
    ['vm resume x', true],
    ['vm remove x', true],
    ['vm remove x --keep-replicas', true],
    ['vm remove x --on a,b --force-off', true],
    ['init', true],
    ['init --file /root/site.ts --yes', true],
    ['recover', true],
    ['undo 3f0c1a4e', true],
    ['undo 3f0c1a4e --in-use --discard fs:a,lv:vg0/b', true],
    ['run x.ts', true],
  ])('%s: changes the host: %s', async (line, changes) => {
    expect((await parsed(...line.split(' '))).changes).toBe(changes);
  });
});

describe('wrong input', () => {
  it.each([
    ['an unknown option', ['xen', 'list', '--jsno']],
    ['an unknown verb', ['xen', 'lst']],
    ['an unknown noun', ['xne']],
    ['a missing name', ['vm', 'remove']],
    ['a name too many', ['vm', 'remove', 'a', 'b']],
    ['a type of what is only bound', ['mount', 'add', '--bind', '/a', '/b', '--type', 'ext4']],
    ['a volume without its new name', ['lvm', 'rename', 'vg0/a']],
    ['a filesystem without its type', ['filesystem', 'create', '/dev/vg0/a']],
    ['a filesystem without its new size', ['filesystem', 'resize', '/dev/vg0/a']],
    ['a size twice', ['lvm', 'create', 'vg0/a', '--size', '1g', '--extents', '5']],
    ['a size and a word too many', ['lvm', 'resize', 'vg0/a', '1g', '--jsno']],
    ['a name that begins with -', ['xen', 'start', '-web1']],
    ['a missing value', ['xen', 'list', '--site']],
    ['two ways to end a guest', ['vm', 'remove', 'a', '--stop', '--force-off']],
    ['a missing source', ['vm', 'create', 'a', '--size', '1g']],
  ])('%s is an error of commander', async (_what, args) => {
    await expect(parsed(...args)).rejects.toMatchObject({ code: containing('commander.') });
  });
});

/** The words of every verb, and what loads it. */
function verbsBelow(
  verbs: Noun['verbs'],
  path: readonly string[] = [],
): readonly (readonly [string, VerbEntry[1]])[] {
  return Object.entries(verbs).flatMap(([name, entry]) =>
    'length' in entry
      ? [[[...path, name].join(' '), entry[1]] as const]
      : verbsBelow(entry.verbs, [...path, name]),
  );
}

const loaded = await Promise.all(
  verbsBelow(nouns).map(async ([verb, load]) => [verb, (await load()).default.examples] as const),
);

describe('the examples of the help', () => {
  it.each(loaded.flatMap(([verb, lines]) => lines.map((line) => [verb, line] as const)))(
    'of %s are valid: %s',
    async (verb, line) => {
      const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain = '']) => quoted ?? plain);

      expect((await parsed(...words)).verb).toBe(verb);
    },
  );
});

describe('the commands of other tools', () => {
  it.each([
    ['vm delete web1', 'remove', 'vm remove'],
    ['vm destroy web1', 'remove', 'vm remove'],
    ['lvm rm vg0/a', 'remove', 'lvm remove'],
    ['lvm vg ls', 'list', 'lvm vg list'],
    ['filesystem info /dev/sdb', 'show', 'filesystem show'],
    ['filesystem mkfs /dev/sdb', 'create', 'filesystem create'],
    ['crypt dump /dev/sdb', 'show', 'crypt show'],
    ['mount umount /mnt', 'remove', 'mount remove'],
    ['mount fstab change /srv', 'set', 'mount fstab set'],
    ['lvm grow vg0/a', 'resize', 'lvm resize'],
    ['vm shutdown web1', 'stop', 'vm stop'],
    ['vm reboot web1', 'restart', 'vm restart'],
    ['vm unpause web1', 'resume', 'vm resume'],
    ['fs list', 'filesystem', 'filesystem'],
    ['luks show /dev/sdb', 'crypt', 'crypt'],
    ['guest list', 'vm', 'vm'],
  ])('%s is refused, and the error names the command of bofh: %s', async (line, word, at) => {
    await expect(parsed(...line.split(' '))).rejects.toMatchObject({
      message: containing(`did you mean ${word}?`),
      at,
    });
  });
});

describe('a command line without its noun, or without the value of an option', () => {
  it.each([
    ['restore x.json', "error: unknown command 'restore': did you mean vm restore?"],
    ['start web1', "error: unknown command 'start': did you mean xen start, vm start?"],
    ['list', "error: unknown command 'list': did you mean xen list, vm list, lvm list …?"],
    ['umount /mnt', "error: unknown command 'umount': did you mean mount remove?"],
    ['lvcreate -L 1G vg0', "error: unknown command 'lvcreate': did you mean lvm create?"],
    ['lvs', "error: unknown command 'lvs': did you mean lvm list?"],
    ['vgextend vg0 /dev/sdb', "error: unknown command 'vgextend': did you mean lvm vg extend?"],
    ['pvmove /dev/sdb', "error: unknown command 'pvmove': did you mean lvm pv move?"],
    ['mkfs.ext4 /dev/sdb', "error: unknown command 'mkfs.ext4': did you mean filesystem create?"],
    ['lvextend -L 2G vg0/a', "error: unknown command 'lvextend': did you mean lvm resize?"],
    ['vgcfgrestore vg0', "error: unknown command 'vgcfgrestore': did you mean lvm vg?"],
    ['xl list', "error: unknown command 'xl': did you mean xen?"],
    ['--wait lvm list', "error: option '--wait <DURATION>' argument missing"],
    ['--host vm list', "error: option '--host <NAME>' argument missing"],
  ])('%s', async (line, message) => {
    await expect(parsed(...line.split(' '))).rejects.toMatchObject({ message });
  });
});

describe('arguments of another program, which may be secret', () => {
  it.each([
    ['vm chroot x -- sh -c secret', 3],
    ['run x.ts secret', 1],
    ['vm start x', 0],
  ])('%s: this many are kept out of journal and log: %d', async (line, count) => {
    expect((await parsed(...line.split(' '))).unrecorded).toBe(count);
  });
});

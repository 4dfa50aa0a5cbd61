import { ensureRecipes } from '../../../api/ensure.ts';
import { planning } from '../../../api/planning.ts';
import type { Ensured } from '../../../atomic/ensure.ts';
import { atomic } from '../../../bofh.ts';
import { UsageError } from '../../../core/errors.ts';
import { present } from '../../../core/present.ts';
import { formatSize, parseSize } from '../../../core/units.ts';
import { type Members, ownAnd } from '../../../replica/hosts.ts';
import { type CreatedVm, createVm, planCreate } from '../../../vm/create.ts';
import { checkCreate, type CheckedCreate, type CreateRequest } from '../../../vm/create-request.ts';
import { crypttabLine } from '../../../vm/disk-luks.ts';
import type { Answer } from '../../output/answer.ts';
import type { VmCreate } from '../../output/answers/index.ts';
import { ensureFlag, unchanged } from '../../runtime/ensure.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { parseDuration } from '../../runtime/settings.ts';
import { pathOn, untilInterrupted } from '../../runtime/session.ts';
import { flag, listRead, named, one, oneOf, value, verb, wholeNumber } from '../../runtime/verb.ts';
import { keyFile, keyInGuest } from './key-file.ts';
import { reachOptions } from './reach-options.ts';
import { addressesIn } from '../drbd/options.ts';
import { changeUnasked } from '../drbd/recipe.ts';
import { warnOfVersions } from '../drbd/versions.ts';

export default verb({
  changes: true,
  answers: 'vm create',
  args: { name: ['<name>', 'name of the new guest'] },
  options: {
    source: value(
      '<SOURCE>',
      'content of its root filesystem: debian:SUITE (a system that "bofh vm base create" installed), tar:FILE, dir:DIRECTORY, image:FILE (raw or qcow2), the https://… address of an image, or blank (for an installer)',
      {
        required: true,
        read: sourceOf,
      },
    ),
    checksum: value(
      '<SUM>',
      'checksum of an https://… image: sha256:HEX, sha512:HEX, or the path of the SHA256SUMS or SHA512SUMS file that the web site of the image offers',
    ),
    partition: value(
      '<NUMBER>',
      'with an image: number of the partition with its root filesystem (default: the one whose partition type is Linux root, or else the largest Linux partition)',
      { read: wholeNumber },
    ),
    size: value('<SIZE>', 'size of its root filesystem, for example 2g (default: the size of the image)', {
      read: named(parseSize),
    }),
    swap: value('<SIZE>', 'size of its swap (default: no swap)', { read: named(parseSize) }),
    disk: value(
      '<NAME=SIZE,…>',
      'a data disk: NAME=SIZE[,fs=ext4|xfs|btrfs][,mount=/DIR][,luks=KEYFILE] (default: ext4, not mounted, not encrypted); luks encrypts it with the key in a file of this host',
      { read: listRead(diskOf) },
    ),
    memory: value('<SIZE>', 'memory', { read: named(parseSize), default: '256m' }),
    vcpus: value('<NUMBER>', 'virtual CPUs', { read: wholeNumber, default: '1' }),
    type: value(
      '<TYPE>',
      'pv, pvh, or hvm (an emulated PC with a BIOS; needs --source blank or the image of a disk)',
      {
        read: oneOf('pv', 'pvh', 'hvm'),
        default: 'pv',
      },
    ),
    cdrom: value(
      '<FILE>',
      'with --type hvm: ISO image in the CD-ROM drive, from which the guest boots only while its disk is blank',
    ),
    vg: value('<VG>', 'volume group for its disks (default: volumeGroup of the site file)'),
    thin: value('<POOL>', 'create its disks as thin volumes in this pool of the group', {
      conflicts: ['drbd'],
    }),
    ...reachOptions({
      keys: 'guestSshKeys of the site file',
      network: 'network settings of the source',
    }),
    timezone: value('<ZONE>', 'time zone of the guest, for example Europe/Vienna'),
    bridge: value('<BRIDGE>', 'bridge for its network interface (default: bridge of the site file)'),
    mac: value('<MAC>', 'MAC address of its network interface (default: random)'),
    boot: value(
      '<HOW>',
      'direct: xl loads --kernel; grub: GRUB (package grub-xen-host) loads the kernel from the disk of the guest (default: grub for debian:SUITE without --kernel, else direct)',
      {
        read: oneOf('direct', 'grub'),
      },
    ),
    extra: value('<LINE>', 'add this line to its configuration, see xl.cfg(5)', { read: one }),
    kernel: value(
      '<FILE>',
      'kernel that xl loads (--boot direct); needs --ramdisk (default: guestKernel of the site file)',
    ),
    ramdisk: value('<FILE>', 'ramdisk (default: guestRamdisk of the site file)'),
    drbd: value('<HOST>', 'replicate its disks to this peer, so that the guest can move there'),
    peerVg: value('<VG>', 'with --drbd: volume group on the peer (default: the same as here)'),
    address: value(
      '<HOST=IP,…>',
      'with --drbd: addresses for the replication (default: the addresses in the only network that both hosts share)',
      { read: addressesIn },
    ),
    role: value(
      '<ROLE>',
      'run this script from /etc/bofh/roles.d (rolesDir of the site file) in the root filesystem of the guest, before its first start',
      { read: one },
    ),
    provision: value(
      '<FILE>',
      'apply this description (see bofh host apply) to its root filesystem before the first start, after the roles',
    ),
    roleTimeout: value('<DURATION>', 'with --role or --provision: longest time for each (default: 10m)', {
      read: parseDuration,
    }),
    start: flag('start the guest'),
    autostart: flag('also start it when this host boots'),
    ensure: ensureFlag('drbd'),
  },
  examples: [
    'vm create web1 --source tar:/srv/bookworm.tar --size 4g --memory 1g --start',
    'vm create web1 --source debian:trixie --type pvh --size 4g --ssh-key /root/.ssh/id_ed25519.pub --bridge br0 --ip dhcp --start',
    '--dry-run vm create web1 --source tar:/srv/bookworm.tar --size 4g',
    'vm create web1 --source tar:/srv/bookworm.tar --size 4g --ensure',
    'vm create web1 --source tar:/srv/bookworm.tar --size 4g --ssh-key /root/.ssh/id_ed25519.pub --bridge br0 --ip 192.0.2.10/24 --gateway 192.0.2.1',
    'vm create web1 --source tar:/srv/bookworm.tar --size 4g --thin pool0',
    'vm create web1 --source dir:/srv/root --size 4g',
    'vm create web1 --source image:/srv/bookworm.qcow2 --size 4g',
    'vm create web1 --source image:/srv/debian-12-genericcloud-amd64.qcow2 --partition 1 --size 4g --boot grub',
    'vm create web1 --source https://cloud.debian.org/images/cloud/bookworm/latest/debian-12-genericcloud-amd64.qcow2 --checksum /srv/SHA512SUMS --size 4g --boot grub',
    'vm create web1 --source tar:/srv/bookworm.tar --size 4g --disk data=20g,fs=xfs,mount=/srv',
    'vm create web1 --source tar:/srv/bookworm.tar --size 4g --disk data=20g,mount=/srv,luks=/root/data.key',
    'vm create web1 --source tar:/srv/bookworm.tar --size 4g --boot grub',
    'vm create web1 --source debian:trixie --type pvh --size 4g --role web --role monitoring --role-timeout 20m',
    'vm create web1 --source debian:trixie --type pvh --size 4g --provision web.ts --start',
    'vm create web1 --source tar:/srv/bookworm.tar --size 4g --drbd host2',
    'vm create web1 --type hvm --source blank --cdrom /srv/debian-12-netinst.iso --size 20g --memory 2g --bridge br0 --start',
    'vm create web1 --type hvm --source image:/srv/appliance.qcow2 --memory 2g --bridge br0 --start',
    'vm create web1 --source blank --kernel /srv/install/vmlinuz --ramdisk /srv/install/initrd.gz --size 20g --start',
  ],
  run: (
    runtime,
    {
      source,
      partition,
      checksum,
      disk,
      kernel,
      ramdisk,
      address: addresses,
      sshKey,
      ensure,
      autostart,
      role: roles,
      roleTimeout: roleTimeoutMs,
      provision,
      cdrom,
      ...typed
    },
  ) => {
    for (const [name, given, types] of [
      ['--partition', partition, ['image', 'https']],
      ['--checksum', checksum, ['https']],
    ] as const)
      if (given !== undefined && !(types as readonly string[]).includes(source.type))
        throw new UsageError(`${name} is for --source ${types.length > 1 ? 'image:FILE or ' : ''}https://…`, {
          remedy: 'leave it out',
        });
    const asked = {
      source:
        'path' in source
          ? { ...source, path: pathOn(runtime, source.path), ...present({ partition }) }
          : { ...source, ...present({ partition, checksum: sumOn(runtime, checksum) }) },
      ...present({
        ...typed,
        addresses,
        roles,
        roleTimeoutMs,
        autostart: autostart || undefined,
        disks: byName(runtime, disk),
        sshKeys: sshKey?.map((file) => pathOn(runtime, file)),
      }),
      ...present({
        kernel: pathOn(runtime, kernel),
        ramdisk: pathOn(runtime, ramdisk),
        provision: pathOn(runtime, provision),
        cdrom: pathOn(runtime, cdrom),
      }),
    };
    const request = checkCreate(asked);
    return changeUnasked<Members | undefined, Ensured<CreatedVm>, VmCreate>(
      runtime,
      async ({ engine: here }) => {
        const disksOn = request.drbd === undefined ? undefined : await ownAnd(here, request.drbd);
        if (disksOn !== undefined) await warnOfVersions(runtime, disksOn);
        return {
          members: disksOn,
          act: async ({ host, site, engine }, members) => {
            if (ensure) return await ensureRecipes.vm.create(asked as CreateRequest);
            const planned = planning('vm.create', { name: request.name }, () =>
              planCreate({ host, site, request, disksOn: members, onProgress: engine.onProgress }),
            );
            const plan = await untilInterrupted(runtime, planned);
            if (runtime.settings.mode === 'plan')
              for (const script of [...plan.roles.scripts, plan.roles.description ?? []].flat())
                runtime.terminal.line(`dry run: ${script} would run in the guest: its effect is unknown`);
            const value = await atomic(`vm create ${request.name}`, (tx) => createVm(tx, plan, engine));
            return { value, changed: true };
          },
          answer: ({ value: vm, changed }): Answer<VmCreate> => {
            const { swap = null, peer = null, domid = null, ssh = null, hostKey = null } = vm;
            const { source = null, partition = null } = vm;
            const disks = vm.disks.map((each) => ({
              ...each,
              mount: each.mount ?? null,
              luks: each.luks ?? null,
            }));
            const opensLuks = vm.opensLuks ?? null;
            const reached = { domid, ssh, hostKey };
            const from = { source, partition, dropped: [...vm.dropped], merged: [...vm.merged] };
            const data = {
              ...vm,
              swap,
              disks,
              opensLuks,
              peer,
              ...reached,
              ...from,
              ...(ensure ? { changed } : {}),
            };
            return { data, lines: [...(changed ? [] : [unchanged]), ...inWords(data, request)] };
          },
        };
      },
    );
  },
});

/** Parses `sha256:HEX`, or the path of a file. */
function sumOn(runtime: Runtime, checksum: string | undefined): string | undefined {
  return checksum === undefined || /^sha\d+:/.test(checksum) ? checksum : pathOn(runtime, checksum);
}

/** Parses `debian:SUITE`, `tar:FILE`, `dir:DIRECTORY`, `image:FILE`, `https://…` or `blank`. */
function sourceOf(
  text: string,
  name: string,
):
  | { readonly type: 'debian'; readonly suite: string }
  | { readonly type: 'https'; readonly url: string }
  | { readonly type: 'blank' }
  | { readonly type: 'tar' | 'dir' | 'image'; readonly path: string } {
  if (text === 'blank') return { type: text };
  if (text.startsWith('https:')) return { type: 'https', url: text };
  if (text.startsWith('http:'))
    throw new UsageError(`${name} ${text}: bofh downloads only over https`, {
      remedy: 'name the https address; or download the image, and use image:FILE',
    });
  const { type, what } = /^(?<type>debian|tar|dir|image):(?<what>.+)$/.exec(text)?.groups ?? {};
  if (type === undefined || what === undefined)
    throw new UsageError(
      `${name} ${text}: must be debian:SUITE, tar:FILE, dir:DIRECTORY, image:FILE, https://… or blank`,
    );
  return type === 'debian'
    ? { type, suite: what }
    : { type: type === 'tar' || type === 'dir' ? type : 'image', path: what };
}

type TypedDisk = readonly [
  name: string,
  disk: { readonly size: string; readonly luks?: string } & Readonly<Record<string, string>>,
];

/** Parses `data=20g,fs=xfs,mount=/srv,luks=/root/data.key`. */
function diskOf(text: string, option: string): readonly TypedDisk[] {
  const wrong = (why: string): UsageError =>
    new UsageError(`${option} ${text}: ${why}`, {
      remedy: `for example ${option} data=20g,fs=xfs,mount=/srv`,
    });
  const [first = '', ...more] = text.split(',').map((word): readonly string[] => word.split(/=(.*)/s));
  const [name = '', size = ''] = first;
  if (name === '' || size === '') throw wrong('must begin with NAME=SIZE');
  const disk: Record<string, string> & { size: string } = { size };
  for (const [key = '', given = ''] of more) {
    if (!['fs', 'mount', 'luks'].includes(key) || given === '')
      throw wrong('after NAME=SIZE come fs=TYPE, mount=/DIR and luks=KEYFILE');
    if (key in disk) throw wrong(`${key} is given twice`);
    disk[key] = given;
  }
  return [[name, disk]];
}

function byName(runtime: Runtime, disks: readonly TypedDisk[] | undefined) {
  const names = disks?.map(([name]) => name) ?? [];
  const twice = names.find((name, at) => names.indexOf(name) < at);
  if (twice !== undefined) throw new UsageError(`--disk ${twice} is given twice`);
  return disks === undefined
    ? undefined
    : Object.fromEntries(
        disks.map(([name, { luks, ...disk }]) => [
          name,
          luks === undefined ? disk : { ...disk, luks: { key: keyFile(runtime, luks) } },
        ]),
      );
}

function inWords(created: VmCreate, request: CheckedCreate): readonly string[] {
  const swap = created.swap === null ? '' : `, swap ${created.swap} (${formatSize(request.swap)})`;
  const size = request.size === undefined ? '' : ` (${formatSize(request.size)})`;
  return [
    `${created.name} is created: root ${created.root}${size}${swap}, configuration ${created.config}`,
    ...(created.source === null
      ? []
      : [
          `its root is from ${created.partition === null ? '' : `partition ${String(created.partition)} of `}${created.source}`,
        ]),
    ...created.merged.map((path) => `its root has the files of ${path}, which its image mounts separately`),
    ...created.dropped.map(
      (path) => `its /etc/fstab has no line for ${path}: a guest needs no EFI partition`,
    ),
    ...created.disks.map(
      ({ name, device, fs, mount, luks }) =>
        `data disk ${name}: ${device} (${luks === null ? '' : 'LUKS, '}${fs})${mount === null ? '' : ` on ${mount}`}`,
    ),
    ...created.disks.flatMap(({ name, luks }) =>
      luks === null ? [] : keyInWords(created, request, { name, luks }),
    ),
    ...(created.peer === null
      ? []
      : [`its disks are replicated to ${created.peer}: bofh vm move ${created.name} ${request.drbd ?? ''}`]),
    created.domid === null
      ? `start it with: bofh vm start ${created.name}`
      : `${created.name} runs as domain ${String(created.domid)}`,
    ...(created.ssh === null ? [] : [`log in with: ssh ${created.ssh}`]),
    ...(created.hostKey === null ? [] : [`its SSH host key is ${created.hostKey} (ED25519)`]),
    ...(request.source.type === 'blank' || request.type === 'hvm' ? bootInWords(created.name, request) : []),
  ];
}

/** How the guest opens an encrypted disk. */
function keyInWords(
  { opensLuks }: VmCreate,
  { source, type }: CheckedCreate,
  { name, luks }: { readonly name: string; readonly luks: string },
): readonly string[] {
  // bofh writes nothing into a blank disk, or into the image of a disk.
  if (source.type === 'blank' || type === 'hvm')
    return [`to open ${name} in the guest, add to its /etc/crypttab: ${crypttabLine({ name, uuid: luks })}`];
  return [
    keyInGuest(name),
    ...(opensLuks === false
      ? [
          `its source has no program that opens ${name} at boot: install the package systemd-cryptsetup (Debian 13), or cryptsetup, in the guest`,
        ]
      : []),
  ];
}

/** How to reach a guest that bofh did not set up, and what remains to do. */
function bootInWords(name: string, { type, cdrom }: CheckedCreate): readonly string[] {
  if (type === 'hvm')
    return [
      `when it runs, see its screen: xl vncviewer ${name}; its serial console: bofh vm console ${name}`,
      ...(cdrom === undefined
        ? []
        : [
            `when its disk has a boot loader, it boots from there; to remove the drive with ${cdrom}: bofh vm disk detach ${name} hdc`,
          ]),
    ];
  return [
    `when it runs, see its installer: bofh vm console ${name}`,
    `after the installation, replace the lines kernel and ramdisk in its configuration: kernel = "/usr/lib/grub-xen/grub-${type === 'pvh' ? 'i386-xen_pvh' : 'x86_64-xen'}.bin" boots the kernel on its disk (package grub-xen-host)`,
  ];
}

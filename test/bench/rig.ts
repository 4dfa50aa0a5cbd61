import { installBofh } from '../support/dom0/install.ts';
import { bootMachine, type Machine } from '../support/rig/index.ts';
import { drbdPairs, openForDrbd } from './rig-drbd.ts';
import { vg1000 } from './thousand-volumes.ts';

/** Shell commands on an emulated host: the same end by bofh and without it. `clear` runs after each, untimed. */
export interface RigPair {
  readonly name: string;
  readonly bare: string;
  readonly ours: string;
  readonly theirs: string;
  readonly clear?: string;
  /** What the ratio should stay below. */
  readonly goal?: number;
  readonly before?: string;
}

/** The seconds of each round. */
export interface RigMeasured extends Pick<RigPair, 'name' | 'bare' | 'goal'> {
  readonly ours: readonly number[];
  readonly theirs: readonly number[];
}

/** What a careful administrator writes instead of `vm create --start`: it undoes what it did when a command fails. */
const createGuest = String.raw`set -eu
name=$1
lvs "vg0/$name-root" >/dev/null 2>&1 && { echo "exists" >&2; exit 1; }
[ ! -e "/etc/xen/$name.cfg" ]
mnt=$(mktemp -d)
undo() { umount "$mnt" 2>/dev/null || :; rm -f "/etc/xen/$name.cfg"; lvremove -qq -y "vg0/$name-swap" "vg0/$name-root" || :; rmdir "$mnt"; }
trap undo EXIT
lvcreate -qq -y -W y -Z y -L 64M -n "$name-root" vg0
lvcreate -qq -y -W y -Z y -L 16M -n "$name-swap" vg0
mkfs.ext4 -q "/dev/vg0/$name-root"
mkswap "/dev/vg0/$name-swap" >/dev/null
mount "/dev/vg0/$name-root" "$mnt"
tar -x --numeric-owner -f /srv/guest.tar -C "$mnt"
echo "$name" > "$mnt/etc/hostname"
sync -f "$mnt"
umount "$mnt"
cat > "/etc/xen/.$name.new" <<END
name = "$name"
kernel = "/boot/guest-vmlinuz"
ramdisk = "/boot/guest-initrd"
memory = 96
disk = ["phy:/dev/vg0/$name-root,xvda,w", "phy:/dev/vg0/$name-swap,xvdb,w"]
root = "/dev/xvda rw"
extra = "console=hvc0"
END
sync "/etc/xen/.$name.new"
mv "/etc/xen/.$name.new" "/etc/xen/$name.cfg"
xl create -q "/etc/xen/$name.cfg"
trap - EXIT
rmdir "$mnt"
`;

const gone = 'xl destroy b1; until ! xl domid b1 >/dev/null 2>&1; do sleep 0.1; done';
const removed = `${gone}; lvremove -qq -y vg0/b1-root vg0/b1-swap; rm -f /etc/xen/b1.cfg`;
const six = [1, 2, 3, 4, 5, 6].map((n) => `s${String(n)}`);
const each = (command: string): string => `for g in ${six.join(' ')}; do ${command}; done`;
const allOff = each('xl destroy $g; until ! xl domid $g >/dev/null 2>&1; do sleep 0.1; done');

const pairs: readonly RigPair[] = [
  { name: 'bofh --version', bare: 'node -e 0', ours: 'bofh --version', theirs: 'node -e 0', goal: 1.15 },
  { name: 'bofh journal list', bare: 'node -e 0', ours: 'bofh journal list', theirs: 'node -e 0', goal: 1.3 },
  {
    name: 'bofh lvm list, few volumes',
    bare: 'lvs --reportformat json; node -e 0',
    ours: 'bofh lvm list',
    theirs: 'lvs --reportformat json; node -e 0',
    goal: 2,
  },
  {
    name: 'bofh xen start-all, nothing to do',
    bare: 'xl list; node -e 0',
    ours: 'bofh xen start-all',
    theirs: 'xl list; node -e 0',
    goal: 2,
  },
  {
    name: 'bofh lvm create',
    bare: 'lvcreate; node -e 0',
    ours: 'bofh lvm create vg0/b1 --size 16m',
    theirs: 'lvcreate -qq -y -W y -Z y -L 16M -n b1 vg0; node -e 0',
    clear: 'lvremove -qq -y vg0/b1',
    goal: 2,
  },
  {
    name: 'bofh block resize, ext4 on a volume, +20 MiB',
    bare: 'lvextend -r; node -e 0',
    before:
      'lvcreate -qq -y -L 64M -n r1 vg0; mkfs.ext4 -q /dev/vg0/r1; lvcreate -qq -y -L 64M -n r2 vg0; mkfs.ext4 -q /dev/vg0/r2',
    ours: 'bofh --yes block resize /dev/vg0/r1 +20m',
    theirs: 'lvextend -qq -r -L +20M vg0/r2; node -e 0',
    goal: 2,
  },
  {
    name: 'bofh vm create --start',
    bare: 'a careful shell script',
    ours: 'bofh vm create b1 --source tar:/srv/guest.tar --size 64m --swap 16m --memory 96m --start',
    theirs: 'sh /root/create-guest.sh b1',
    clear: removed,
    goal: 1.4,
  },
  {
    // The block script of Xen gives up after ten seconds, which four at a time take on two emulated processors.
    name: 'bofh xen start-all --parallel 2, six guests',
    bare: 'xl create, one after the other',
    before: `${each('sh /root/create-guest.sh $g')}; ${allOff}; mkdir -p /etc/xen/auto; ${each('ln -sf ../$g.cfg /etc/xen/auto/')}`,
    ours: 'bofh xen start-all --parallel 2',
    theirs: each('xl create -q /etc/xen/$g.cfg'),
    clear: allOff,
    goal: 1,
  },
  {
    name: 'bofh lvm list, 1,000 volumes',
    bare: 'lvs --reportformat json',
    before: vg1000,
    ours: 'bofh lvm list',
    theirs: 'lvs --reportformat json',
    goal: 1.5,
  },
  {
    name: 'bofh lvm create beside 1,000 volumes',
    bare: 'lvcreate',
    ours: 'bofh lvm create vg0/b1 --size 16m',
    theirs: 'lvcreate -qq -y -W y -Z y -L 16M -n b1 vg0',
    clear: 'lvremove -qq -y vg0/b1',
    goal: 2,
  },
  {
    name: 'bofh block tree, 1,000 active volumes',
    bare: 'lsblk --fs',
    before: 'vgchange -qq -ay vg1000; udevadm settle',
    ours: 'bofh block tree',
    theirs: 'lsblk --fs',
    goal: 2,
  },
];

interface Measuring {
  readonly rounds: number;
  readonly only: string;
  readonly say: (text: string) => void;
}

/** Runs the pairs by turns on an emulated Xen host, then those of DRBD on two emulated hosts. */
export async function measureOnRig(options: Measuring): Promise<readonly RigMeasured[]> {
  const xen = await measureAll(pairs, options, async () => {
    const machine = await bootMachine({ hypervisor: 'xen', name: 'bench' });
    await installBofh(machine);
    await machine.putText('/root/create-guest.sh', createGuest);
    return { machine, close: () => machine.close() };
  });
  return [...xen, ...(await measureAll(drbdPairs, options, openForDrbd))];
}

async function measureAll(
  all: readonly RigPair[],
  { rounds, only, say }: Measuring,
  open: () => Promise<{ readonly machine: Machine; readonly close: () => Promise<void> }>,
): Promise<readonly RigMeasured[]> {
  const chosen = all.filter(({ name }) => name.includes(only));
  if (chosen.length === 0) return [];
  const { machine, close } = await open();
  try {
    const measured: RigMeasured[] = [];
    for (const pair of chosen) {
      say(pair.name);
      try {
        const row = await measure(machine, pair, rounds);
        measured.push(row);
        // The whole table takes an hour.
        const seconds = (of: readonly number[]): string => of.map((each) => each.toFixed(2)).join(', ');
        say(`bofh ${seconds(row.ours)} s; peer ${seconds(row.theirs)} s`);
      } catch (error) {
        // The other rows took half an hour; a row without figures exceeds its bound.
        say(`failed: ${String(error)}`);
        measured.push({ name: pair.name, bare: pair.bare, goal: pair.goal ?? 0, ours: [], theirs: [] });
      }
    }
    return measured;
  } finally {
    await close();
  }
}

/** By turns; the first round warms caches and is not counted. */
async function measure(
  machine: Machine,
  { name, bare, ours, theirs, clear = ':', goal, before }: RigPair,
  rounds: number,
): Promise<RigMeasured> {
  if (before !== undefined) await machine.run(before, { timeoutMs: 600_000 });
  const seconds = { ours: [] as number[], theirs: [] as number[] };
  for (let round = 0; round <= rounds; round += 1)
    for (const [side, command] of [
      ['ours', ours],
      ['theirs', theirs],
    ] as const) {
      const took = await timed(machine, command, clear);
      if (round > 0) seconds[side].push(took);
    }
  return { name, bare, ...(goal === undefined ? {} : { goal }), ...seconds };
}

async function timed(machine: Machine, command: string, clear: string): Promise<number> {
  const { stdout } = await machine.run(
    `begun=$(date +%s%N); { ${command}; } >/tmp/bench.out 2>&1 || { cat /tmp/bench.out >&2; exit 1; }
    ended=$(date +%s%N); { ${clear}; } >/dev/null 2>&1; echo $((ended - begun))`,
    { timeoutMs: 900_000 },
  );
  return Number(stdout.trim()) / 1e9;
}

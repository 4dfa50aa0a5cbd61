import { openTwoHosts } from '../support/dom0/two-hosts.ts';
import type { Machine } from '../support/rig/index.ts';
import type { RigPair } from './rig.ts';

/** What a careful administrator writes instead of `drbd create`: NAME MINOR. It undoes what it did when a command fails. */
const createResource = String.raw`set -eu
name=$1 minor=$2
there() { ssh -o BatchMode=yes b "$@"; }
free="! lvs vg0/$name >/dev/null 2>&1 && [ ! -e /etc/drbd.d/$name.res ]"
sh -c "$free" && there "$free" || { echo "exists" >&2; exit 1; }
undo() {
  for on in '' there; do
    $on drbdadm down "$name" || :
    $on rm -f "/etc/drbd.d/$name.res"
    $on lvremove -qq -y "vg0/$name" || :
  done
}
trap undo EXIT
for on in '' there; do
  $on lvcreate -qq -y -W y -Z y -L 64M -n "$name" vg0
  $on blkdiscard --zeroout "/dev/vg0/$name"
done
cat > "/etc/drbd.d/$name.res" <<END
resource $name {
  device minor $minor; disk /dev/vg0/$name; meta-disk internal;
  on a { address 10.77.0.1:$((7788 + minor)); }
  on b { address 10.77.0.2:$((7788 + minor)); }
}
END
sync "/etc/drbd.d/$name.res"
scp -q "/etc/drbd.d/$name.res" b:/etc/drbd.d/
there sync "/etc/drbd.d/$name.res"
for on in '' there; do $on drbdadm create-md --force "$name"; done
for on in '' there; do $on drbdadm up "$name"; done
drbdadm wait-connect "$name"
drbdadm -- --clear-bitmap new-current-uuid "$name/0"
trap - EXIT
`;

const both = (command: string): string => `${command}; ssh b '${command}'`;
const synced =
  'for r in g1 g2; do until drbdadm dstate $r | grep -qx UpToDate/UpToDate; do sleep 0.2; done; done';

export const drbdPairs: readonly RigPair[] = [
  {
    name: 'bofh drbd create, 60 MiB on two hosts',
    bare: 'a careful shell script with ssh',
    ours: 'bofh drbd create b1 --on a,b --size 60m',
    theirs: 'sh /root/create-resource.sh b1 0',
    clear: both('drbdadm down b1; rm -f /etc/drbd.d/b1.res; lvremove -qq -y vg0/b1'),
    goal: 2,
  },
  {
    name: 'bofh drbd grow, +20 MiB',
    bare: 'lvextend on both, drbdadm resize; node -e 0',
    before: `sh /root/create-resource.sh g1 1; sh /root/create-resource.sh g2 2; drbdadm primary g1 g2; ${synced}`,
    ours: 'bofh --yes drbd grow g1 +20m',
    theirs: `${both('lvextend -qq -L +20M vg0/g2')}; drbdadm resize g2; node -e 0`,
    clear: synced,
    goal: 2,
  },
  {
    name: 'bofh block resize over DRBD, ext4, +20 MiB',
    bare: 'lvextend on both, drbdadm resize, e2fsck, resize2fs; node -e 0',
    before: 'mkfs.ext4 -q /dev/drbd1; mkfs.ext4 -q /dev/drbd2; udevadm settle',
    ours: 'bofh --yes block resize /dev/drbd1 +20m',
    theirs: `${both('lvextend -qq -L +20M vg0/g2')}; drbdadm resize g2; e2fsck -fp /dev/drbd2; resize2fs /dev/drbd2; node -e 0`,
    clear: synced,
    goal: 2,
  },
  {
    name: 'a refusal of bofh drbd create (goal: 5 s)',
    bare: 'lvs and drbdsetup on both; node -e 0',
    ours: '! bofh drbd create g1 --on a,b --size 60m',
    theirs: `${both('lvs vg0/g1; drbdsetup status g1')}; node -e 0`,
  },
];

/** Two machines with DRBD, and what runs the commands of `drbdPairs`. */
export async function openForDrbd(): Promise<{
  readonly machine: Machine;
  readonly close: () => Promise<void>;
}> {
  const { pair } = await openTwoHosts();
  try {
    for (const each of [pair.a, pair.b]) await each.run('modprobe drbd && udevadm settle');
    await pair.a.putText('/root/create-resource.sh', createResource);
  } catch (error) {
    await pair.close();
    throw error;
  }
  return { machine: pair.a, close: pair.close };
}

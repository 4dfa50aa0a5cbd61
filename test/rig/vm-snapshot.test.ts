import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandsOn } from '../support/dom0/commands.ts';
import { killedAt } from '../support/dom0/killed-at.ts';
import { installBofh } from '../support/dom0/install.ts';
import { available, bootMachine, type Machine, until } from '../support/rig/index.ts';

const can = await available();
const required = process.env['BOFH_REQUIRE_RIG'] === '1';

describe.skipIf(!can.ok && !required)('snapshots of guests on a real Xen host', () => {
  let machine: Machine;
  beforeAll(async () => {
    if (!can.ok) throw new Error(can.reason);
    machine = await bootMachine({ hypervisor: 'xen', name: 'dom0' });
    await installBofh(machine);
  });
  afterAll(async () => {
    await machine.close();
  });

  const { bofh, text } = commandsOn(() => machine, { timeoutMs: 240_000 });
  const inRoot = (mode: 'ro' | 'rw', command: string): Promise<string> =>
    text(
      `mkdir -p /run/look && mount -o ${mode} /dev/vg0/web1-root /run/look && (cd /run/look && ${command}); umount /run/look`,
    );
  /** SHA-256 of every file in the root. */
  const files = (): Promise<string> =>
    inRoot(
      'ro',
      "find . -xdev -type f ! -path './lost+found/*' -exec sha256sum {} + | sort; cat /etc/xen/web1.cfg",
    );
  const volumes = (): Promise<string> =>
    text('lvs --noheadings -o lv_name vg0 | sort; ls /var/lib/bofh/snapshots 2>/dev/null || true');
  const change = async (): Promise<void> => {
    await inRoot('rw', 'echo broken > etc/hostname; rm -f bin/ls; dd if=/dev/urandom of=junk bs=1M count=4');
    await bofh('vm set web1 memory=112m');
  };

  it.each(['linear', 'thin'])('a guest on %s volumes goes back to its snapshot', async (sort) => {
    if (sort === 'thin') await text('lvcreate --yes --type thin-pool --size 160m --name pool vg0');
    await bofh(
      `vm create web1 --source tar:/srv/guest.tar --size 64m --swap 16m --memory 96m${sort === 'thin' ? ' --thin pool' : ''}`,
    );
    const [before, had] = [await files(), await volumes()];
    await bofh('vm snapshot create web1 first --size 24m');
    await change();
    expect(await files()).not.toBe(before);
    expect(await bofh('vm snapshot list web1')).toMatch(/web1 +first +\S+ \S+ +off +xvda,xvdb/);

    expect(await bofh('--yes vm snapshot restore web1 first')).toContain('web1 is as it was');

    expect(await files()).toBe(before);
    expect(await volumes()).toBe(had);
    expect(await text('e2fsck -fn /dev/vg0/web1-root 2>&1 | grep -c -i "error\\|corrupt" || true')).toBe('0');
    if (sort === 'linear') await bofh('--yes vm remove web1');
  });

  it('of a running guest leaves it running, and is restored once it is off', async () => {
    await bofh('vm start web1');
    await until({
      what: 'web1 is up',
      timeoutMs: 120_000,
      everyMs: 1000,
      probe: async () =>
        (await text('cat /var/log/xen/console/guest-web1.log 2>/dev/null || true')).includes('guest web1 up')
          ? true
          : undefined,
    });
    // The kernel and Xen would allow it.
    const script = `import { atomic } from "bofh"; await atomic("look", (tx) => tx.mount.mount({ device: "/dev/vg0/web1-root", mode: "ro" }));`;
    await text(`echo '${script}' > /root/look.ts`);
    expect(await bofh('run /root/look.ts', 1)).toMatch(/web1-root is in use: .*guest web1/);
    await bofh('vm snapshot create web1 running');
    expect(await text('xl list web1 | tail -1')).toMatch(/ [r-]b?-----? | r-----/);
    expect(await bofh('--yes vm snapshot restore web1 running', 1)).toContain('next: bofh vm stop web1');
    await bofh('vm stop web1 --force');
    await change();
    await bofh('--yes vm snapshot restore web1 running');
    expect(await inRoot('ro', 'cat etc/hostname')).toBe('web1');
    await bofh('vm start web1');
    await bofh('vm stop web1 --force');
  });

  it.each([
    ['of its first volume', 1],
    ['of its second volume', 2],
  ])('is finished by recovery if bofh was killed after the merge %s', async (_, nth) => {
    const before = await files();
    await bofh('vm snapshot create web1 killed');
    await change();
    await killedAt(machine, '--yes vm snapshot restore web1 killed', {
      ...{ tool: 'lvconvert', words: ['--mergethin'] },
      ...(nth === 1 ? {} : { nth }),
    });
    await bofh('recover --yes');
    expect(await files()).toBe(before);
    expect(await bofh('vm snapshot list')).toContain('no guest has a snapshot');
  });

  it('leaves nothing behind when all are removed', async () => {
    await bofh('vm snapshot create web1 last');
    expect(await bofh('--yes vm remove web1', 1)).toContain('bofh vm snapshot remove web1 last');
    await bofh('--yes vm snapshot remove web1 last');
    await bofh('--yes vm remove web1');
    expect(await text('lvs --noheadings -o lv_name vg0; ls -A /var/lib/bofh/snapshots')).toBe('pool');
  });
});

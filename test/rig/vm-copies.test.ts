import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandsOn } from '../support/dom0/commands.ts';
import { killedAt } from '../support/dom0/killed-at.ts';
import { installBofh } from '../support/dom0/install.ts';
import { available, bootMachine, layFault, type Machine, until } from '../support/rig/index.ts';

const can = await available();
const required = process.env['BOFH_REQUIRE_RIG'] === '1';

describe.skipIf(!can.ok && !required)('copies of guests on a real Xen host', () => {
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
  /** SHA-256 of every file in a root, but for those that tell one guest from another. */
  const files = (name: string): Promise<string> =>
    text(
      `mkdir -p /run/look && mount -o ro /dev/vg0/${name}-root /run/look && cd /run/look && find . -xdev -type f ! -path './etc/*' ! -path './lost+found/*' -exec sha256sum {} + | sort; cd / && umount /run/look`,
    );
  const inRoot = (name: string, command: string): Promise<string> =>
    text(
      `mkdir -p /run/look && mount -o ro /dev/vg0/${name}-root /run/look && (cd /run/look && ${command}); umount /run/look`,
    );
  const up = (name: string) =>
    until({
      what: `${name} is up`,
      timeoutMs: 120_000,
      everyMs: 1000,
      probe: async () =>
        (await text(`cat /var/log/xen/console/guest-${name}.log 2>/dev/null || true`)).includes(
          `guest ${name} up`,
        )
          ? true
          : undefined,
    });
  const state = (): Promise<string> =>
    text(
      'lvs --noheadings -o lv_name,lv_uuid vg0 | sort; ls /etc/xen/*.cfg; ls /var/lib/bofh/journal /var/lib/bofh/files 2>/dev/null | grep -v "^history$" || true; findmnt -rn -o TARGET | grep bofh || true',
    );

  it('clones a stopped guest: the files are the same; names, UUIDs and addresses differ', async () => {
    await bofh('vm create web1 --source tar:/srv/guest.tar --size 64m --swap 16m --memory 96m');
    const before = await files('web1');

    expect(await bofh('vm clone web1 web2')).toContain('web2 is a clone of web1');

    expect(before.split('\n').length).toBeGreaterThan(200);
    expect(await files('web1')).toBe(before);
    expect(await files('web2')).toBe(before);
    expect(await inRoot('web2', 'cat etc/hostname')).toBe('web2');
    const uuid = (device: string) => text(`blkid -p -s UUID -o value /dev/vg0/${device}`);
    const [root, swap] = [await uuid('web2-root'), await uuid('web2-swap')];
    expect(new Set([root, swap, await uuid('web1-root'), await uuid('web1-swap')]).size).toBe(4);
    expect(await inRoot('web2', 'cat etc/fstab')).toBe(
      `UUID=${root} / ext4 defaults 0 1\nUUID=${swap} none swap sw 0 0`,
    );
    expect(await text('e2fsck -fn /dev/vg0/web2-root 2>&1 | grep -c -i "error\\|corrupt" || true')).toBe('0');
    expect(await text('ls -A /var/lib/bofh/files')).toBe('');
  });

  it('a clone whose start fails leaves nothing behind', async () => {
    const before = await state();
    const fault = await layFault(machine, {
      tool: 'xl',
      mode: 'act-then-fail',
      words: ['create', '*web3.cfg', '!-N'],
    });
    await bofh('vm clone web1 web3 --start', 5);
    await fault.remove();
    expect(await state()).toBe(before);
  });

  it.each([
    ['while it copies', { tool: 'qemu-img', words: ['convert'] }],
    ['after its root has another UUID', { tool: 'tune2fs', words: ['-U'] }],
    ['after it has saved the files that it replaces', { tool: 'tar', words: ['--create'] }],
  ] as const)('a clone whose bofh is killed %s leaves nothing after recovery', async (_, at) => {
    const before = await state();
    await killedAt(machine, 'vm clone web1 web3', at);
    await bofh('recover --yes');
    expect(await state()).toBe(before);
  });

  it('original and clone boot side by side', async () => {
    await bofh('vm start web1');
    await bofh('vm start web2');
    await up('web1');
    await up('web2');
    expect(await bofh('vm clone web1 web3', 1)).toContain('bofh vm stop web1; then bofh vm clone web1 web3');
    await bofh('vm stop web1 --force');
    await bofh('vm stop web2 --force');
  });

  it('leaves nothing behind when all are removed', async () => {
    await bofh('--yes vm remove web1');
    await bofh('--yes vm remove web2');
    expect(await text('lvs --noheadings vg0; ls /etc/xen/*.cfg 2>/dev/null || true')).toBe('');
  });
});

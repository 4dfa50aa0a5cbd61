import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandsOn } from '../support/dom0/commands.ts';
import { debianTar } from '../support/dom0/debian-root.ts';
import { killedAt } from '../support/dom0/killed-at.ts';
import { installBofh } from '../support/dom0/install.ts';
import { available, bootMachine, defaultSuite, type Machine, until } from '../support/rig/index.ts';

const can = await available();
const required = process.env['BOFH_REQUIRE_RIG'] === '1';

/** Starts the agent, and writes the number of each second to its second disk: a frozen filesystem makes it wait. */
const init = [
  '#!/bin/sh',
  'mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev; mount -a',
  'mkdir -p /run/lock; (qemu-ga --method=isa-serial --path=/dev/hvc1; echo agent ended $?) &',
  'n=0; while sleep 1; do n=$((n+1)); echo $n >/srv/data/tick; echo $n >/tick; echo tick $n; done',
];
const writeInit = `printf '%s\\n' ${init.map((line) => `'${line}'`).join(' ')} >"$1/usr/sbin/init"; chmod 755 "$1/usr/sbin/init"`;

describe.skipIf(!can.ok && !required)('the filesystems of a guest on a real Xen host', () => {
  let machine: Machine;
  beforeAll(async () => {
    if (!can.ok) throw new Error(can.reason);
    const leftOut = ['doc', 'locale', 'man'].map((each) => `--dpkgopt=path-exclude=/usr/share/${each}/*`);
    const tar = await debianTar({
      ...{ packages: 'qemu-guest-agent,mount', suite: defaultSuite() },
      options: [`--customize-hook=${writeInit}`, ...leftOut],
    });
    machine = await bootMachine({ hypervisor: 'xen', name: 'dom0' });
    await installBofh(machine);
    await machine.put(tar, '/srv/debian.tar.gz');
    await machine.run('install -d -m 700 /srv/backup');
  });
  afterAll(async () => {
    await machine.close();
  });

  const { bofh, text } = commandsOn(() => machine, { timeoutMs: 900_000, textMs: 300_000 });
  const tick = async (): Promise<number> =>
    Number(
      await text(
        'grep -a -o "tick [0-9]*" /var/log/xen/console/guest-web1.log | tail -n 1 | cut -d " " -f 2',
      ),
    );
  const goesOn = async (): Promise<void> => {
    const before = await tick();
    await until({
      what: 'the guest writes',
      timeoutMs: 120_000,
      everyMs: 500,
      probe: async () => ((await tick()) > before ? true : undefined),
    });
  };
  const stands = async (): Promise<void> => {
    // What was written before may still be on its way.
    await machine.run('sleep 3');
    const before = await tick();
    await machine.run('sleep 6');
    expect(await tick()).toBe(before);
  };
  const names = () => text('lvs --noheadings -o lv_name vg0 | sort | xargs');
  const backup = async (): Promise<string> => {
    const said = await bofh('vm backup web1 /srv/backup');
    expect(said).toContain('its filesystems were frozen for the snapshots');
    const path = /(?<path>\/srv\/backup\/\S*\.json) is a backup of web1/.exec(said)?.groups?.['path'] ?? '';
    expect(await text(`grep '"frozen"' ${path}`)).toBe('"frozen": true,');
    return path;
  };
  /** Whether each of these disks has a journal to replay. */
  const journals = async (guest: string, disks: readonly string[]): Promise<readonly boolean[]> => {
    const features = [];
    for (const disk of disks)
      features.push(
        await text(`dumpe2fs -h /dev/vg0/${guest}-${disk} 2>/dev/null | grep '^Filesystem features'`),
      );
    return features.map((line) => line.includes('needs_recovery'));
  };

  it('start with the agent on a channel', async () => {
    // The first channel never reaches a guest of Xen 4.17.
    const first = defaultSuite() === 'bookworm' ? '"connection=pty,name=unused", ' : '';
    const channel = `channel = [ ${first}"connection=socket,path=/run/xen/web1-agent.sock,name=org.qemu.guest_agent.0" ]`;
    await bofh(
      `vm create web1 --source tar:/srv/debian.tar.gz --size 500m --memory 192m --disk data=32m,mount=/srv/data --extra '${channel}' --start`,
    );

    await goesOn();
  }, 1_200_000);

  it('are frozen for a backup of both disks, whose filesystems have no journal to replay', async () => {
    const before = await names();

    const manifest = await backup();

    await goesOn();
    expect(await names()).toBe(before);
    await bofh(`vm restore ${manifest} --as web2`);
    expect(await journals('web2', ['root', 'data'])).toEqual([false, false]);
    await bofh('--yes vm remove web2');
  }, 3_600_000);

  it.each([
    ['no', 'if they are frozen', ''],
    ['a', 'with --no-freeze', ' --no-freeze'],
  ])(
    'have %s journal to replay in a snapshot %s',
    async (has, _, words) => {
      const said = await bofh(`vm snapshot create web1 one --size 8m${words}`);

      expect(said.includes('its filesystems were frozen for the snapshots')).toBe(has === 'no');
      expect(await journals('web1', ['root-one', 'data-one'])).toEqual(Array(2).fill(has === 'a'));
      await goesOn();
      await bofh('--yes vm snapshot remove web1 one');
    },
    1_200_000,
  );

  it.each([
    ['frozen', { tool: 'perl', words: ['freeze'] }, /^web1 .* (?:-b----|r-----|------) /m],
    ['frozen and paused', { tool: 'lvcreate', words: ['web1-data-backup'] }, /^web1 .* --p--- /m],
  ])(
    'stay %s after bofh was killed, until bofh recover',
    async (_, at, state) => {
      const before = await names();

      await killedAt(machine, 'vm backup web1 /srv/backup', at);

      expect(await text('xl list web1')).toMatch(state);
      await stands();
      await bofh('recover --yes');
      await goesOn();
      expect(await text('xl list web1')).not.toMatch(/ --p--- /);
      expect(await names()).toBe(before);
    },
    1_800_000,
  );

  it('are not frozen, and nothing changes, if no agent answers', async () => {
    const before = await names();
    const socket = '/run/xen/web1-agent.sock';
    // The socket has one client at a time.
    await machine.run(
      `perl -MIO::Socket::UNIX -e '$s = IO::Socket::UNIX->new(shift) or die; sleep 600' ${socket} >/dev/null 2>&1 & echo $! >/run/client`,
    );

    const said = await bofh('vm backup web1 /srv/backup', 1);

    expect(said).toContain('no agent answers');
    expect(said).toContain('--no-freeze');
    await machine.run('kill $(cat /run/client)');
    expect(await names()).toBe(before);
    await goesOn();
    await backup();
  }, 1_800_000);
});

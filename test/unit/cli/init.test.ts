import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { init } from '../../../src/cli/output/answers/index.ts';
import { siteText } from '../../../src/cli/verbs/init/site-text.ts';
import { type ReadCommand, tools } from '../../../src/command/index.ts';
import { RefusedError, RolledBackError, ToolError, UsageError } from '../../../src/core/errors.ts';
import { readSite } from '../../../src/script/site.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { defaultSite, type Site } from '../../../src/site.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { hostWithSource } from '../simulator/support.ts';
import { containing } from './support/containing.ts';
import { runVerb } from './support/run-verb.ts';
import { testRuntime } from './support/runtime.ts';

const path = '/etc/bofh/site-specific.ts';
const gib = 1024 ** 3;
const running = '/boot/vmlinuz-6.1.0-18-amd64';

type Answers = Parameters<typeof testRuntime>[2];

/** `bofh init` on a host. `ip`: what the program prints; `without`: packages that are missing; `written`: what the new file has. */
async function initOn(
  host: SimulatedHost,
  {
    options = { yes: true },
    answers,
    words = 'init',
    ip,
    without = [],
    written,
  }: {
    readonly options?: Parameters<typeof testRuntime>[1];
    readonly answers?: Answers;
    readonly words?: string;
    readonly ip?: string;
    readonly without?: readonly string[];
    readonly written?: string;
  } = {},
) {
  const run = async <T>(command: ReadCommand<T>): Promise<T> => {
    if (without.includes(tools[command.tool].package))
      throw new ToolError(`${command.tool} is not installed (looked for /usr/sbin/${command.tool})`, {
        remedy: `apt-get install ${tools[command.tool].package}`,
      });
    if (command.tool !== 'ip' || ip === undefined) return await host.run(command);
    return command.parse({ stdout: ip, stderr: '', exitCode: 0 });
  };
  const readFile = async (file: string): Promise<Uint8Array> =>
    file === path && written !== undefined ? Buffer.from(written) : await host.readFile(file);
  const bofh = simulatedBofh({ host });
  const { runtime, ...outputs } = testRuntime(
    { ...bofh, host: { ...host, run, readFile } },
    options,
    answers,
  );
  const exitCode = await runVerb(runtime, words);
  return { exitCode, ...outputs };
}

/** The settings of the file on a host, as the loader of every command reads them. */
async function loaded(host: SimulatedHost): Promise<Site> {
  return await readSite(path, {
    ...{ source: host.admin.readFile(path), cache: 'unused', warn: () => undefined },
  });
}

/** Lines of the written file that begin with a setting, commented out or not. */
function lineOf(host: SimulatedHost, setting: string): readonly string[] {
  const lines = host.admin.readFile(path).split('\n');
  const at = lines.findIndex((line) => new RegExp(`^  (?:// )?${setting}: `).test(line));
  return lines.slice(at - 1, at + 1).map((line) => line.trim());
}

function richHost(): SimulatedHost {
  const host = simulatedHost({ bridges: ['xenbr0'] });
  host.addTar('/srv/debian.tar', []);
  host.admin.mkdir('/srv/images');
  host.admin.writeFile('/srv/images/debian.qcow2', 'x');
  host.admin.writeFile('/srv/notes.txt', 'x');
  host.admin.mkdir('/etc/xen/guests');
  const guest = (name: string): string => `name = '${name}'\nmemory = 128\nkernel = '/vmlinuz'\n`;
  host.admin.writeFile('/etc/xen/web1.cfg', guest('web1'));
  host.admin.writeFile('/etc/xen/guests/db1.cfg', guest('db1'));
  host.admin.symlink('/etc/xen/auto/web1.cfg', '/etc/xen/web1.cfg');
  return host;
}

const twoGroups = (): SimulatedHost =>
  simulatedHost({
    volumeGroups: [
      { name: 'vg0', size: 8 * gib },
      { name: 'vg1', size: 4 * gib },
    ],
  });

function ipRows(...rows: readonly (readonly [name: string, kind: string | undefined, master?: string])[]) {
  const count = { bytes: 0, packets: 0, errors: 0, dropped: 0 };
  return JSON.stringify(
    rows.map(([ifname, kind, master], at) => ({
      ...{ ifindex: at + 1, ifname, flags: ['UP'], mtu: 1500, operstate: 'UP', link_type: 'ether' },
      ...{ address: '02:00:00:00:00:01', addr_info: [], stats64: { rx: count, tx: count } },
      ...(kind === undefined ? {} : { linkinfo: { info_kind: kind } }),
      ...(master === undefined ? {} : { master }),
    })),
  );
}

describe('bofh init --yes', () => {
  it('writes what it found into a valid site file, and prints its path', async () => {
    const host = richHost();

    const { exitCode, stderr } = await initOn(host);

    expect(exitCode).toBe(0);
    expect(await loaded(host)).toEqual({
      ...defaultSite,
      volumeGroup: 'vg0',
      guestConfigDirs: ['/etc/xen', '/etc/xen/guests'],
      bridge: 'xenbr0',
    });
    expect(await host.stat(path)).toMatchObject({ kind: 'file', mode: 0o644 });
    expect(stderr().split('\n')).toEqual([
      `wrote ${path}`,
      'for "bofh vm create --source": tar:/srv/debian.tar, image:/srv/images/debian.qcow2',
      'next: bofh doctor --settings',
    ]);
  });

  it('sets each value that it found', async () => {
    const { stdout } = await initOn(richHost(), { options: { yes: true, json: true } });

    const { settings, ...rest } = init.parse(JSON.parse(stdout()));
    expect(rest).toEqual({
      file: path,
      sources: ['tar:/srv/debian.tar', 'image:/srv/images/debian.qcow2'],
    });
    expect(settings.map(({ name, value, why }) => [name, value, why])).toEqual([
      ['volumeGroup', 'vg0', 'the only volume group that can be used: vg0 (8 GiB of 8 GiB free)'],
      ['guestConfigDirs', ['/etc/xen', '/etc/xen/guests'], '2 guests configured there'],
      ['guestKernel', null, `without it a guest boots ${running}, which this host runs`],
      ['guestRamdisk', null, `without it a guest boots ${running}, which this host runs`],
      ['bridge', 'xenbr0', 'the only bridge: xenbr0 (no port)'],
    ]);
  });

  it('comments out, with the reason, settings that an empty host does not have', async () => {
    const host = simulatedHost({ volumeGroups: [], bridges: [] });
    host.admin.removeFile('/boot/vmlinuz-6.1.0-18-amd64');

    await initOn(host, { without: ['xen-utils-common'] });

    expect(await loaded(host)).toEqual(defaultSite);
    expect(lineOf(host, 'volumeGroup')).toEqual([
      '// On this host: there is no volume group',
      "// volumeGroup: 'vg0',",
    ]);
    expect(lineOf(host, 'guestConfigDirs')).toEqual([
      '// On this host: xl is not installed: apt-get install xen-utils-common',
      "// guestConfigDirs: ['/etc/xen'],",
    ]);
    expect(lineOf(host, 'guestKernel')[0]).toBe(
      `// On this host: there is no file ${running}, and no other kernel with its ramdisk in /boot`,
    );
    expect(lineOf(host, 'bridge')).toEqual(['// On this host: there is no bridge', "// bridge: 'xenbr0',"]);
  });

  it('does without lvm and ip, and names their packages', async () => {
    const host = simulatedHost();

    await initOn(host, { without: ['lvm2', 'iproute2'] });

    expect(lineOf(host, 'volumeGroup')[0]).toBe(
      '// On this host: pvs is not installed: apt-get install lvm2',
    );
    expect(lineOf(host, 'bridge')[0]).toBe('// On this host: ip is not installed: apt-get install iproute2');
  });

  it('does not choose between two volume groups', async () => {
    const host = twoGroups();

    await initOn(host);

    expect((await loaded(host)).volumeGroup).toBeUndefined();
    expect(lineOf(host, 'volumeGroup')[0]).toBe(
      '// On this host: several volume groups can be used: vg0 (8 GiB of 8 GiB free), vg1 (4 GiB of 4 GiB free)',
    );
  });

  it('names the newest kernel with a ramdisk if the running one was removed', async () => {
    const host = simulatedHost();
    host.admin.removeFile(running);
    for (const name of [
      'vmlinuz-6.1.0-9',
      'initrd.img-6.1.0-9',
      'vmlinuz-6.1.0-10',
      'initramfs-6.1.0-10.img',
    ])
      host.admin.writeFile(`/boot/${name}`, 'x');
    host.admin.writeFile('/boot/vmlinuz-6.1.0-11', 'x');

    await initOn(host);

    expect(await loaded(host)).toMatchObject({
      guestKernel: '/boot/vmlinuz-6.1.0-10',
      guestRamdisk: '/boot/initramfs-6.1.0-10.img',
    });
  });

  it.each([
    [
      'two, of which one has the network card',
      [
        ['eth0', undefined, 'br1'],
        ['virbr0', 'bridge'],
        ['br1', 'bridge'],
        ['vif1.0', 'vif', 'virbr0'],
      ],
      'br1',
      'there are several bridges: virbr0 (vif1.0), br1 (eth0); only br1 has a port that leads out of the host',
    ],
    [
      'two without a network card',
      [
        ['br0', 'bridge'],
        ['br1', 'bridge'],
      ],
      undefined,
      'there are several bridges: br0 (no port), br1 (no port)',
    ],
    [
      'of containers only',
      [
        ['docker0', 'bridge'],
        ['br-0123456789ab', 'bridge'],
      ],
      undefined,
      'there are only bridges of containers: docker0, br-0123456789ab',
    ],
    [
      'of Open vSwitch',
      [
        ['ovs-system', 'openvswitch'],
        ['ovsbr0', 'openvswitch'],
      ],
      undefined,
      'there are only bridges of Open vSwitch; xl uses them with vif.default.script="vif-openvswitch" in /etc/xen/xl.conf',
    ],
  ] as const)('finds bridges: %s', async (_, rows, bridge, why) => {
    const host = simulatedHost({ bridges: ['br1'] });

    await initOn(host, { ip: ipRows(...rows) });

    expect((await loaded(host)).bridge).toBe(bridge);
    expect(lineOf(host, 'bridge')[0]).toBe(`// On this host: ${why}`);
  });
});

describe('bofh init on a terminal', () => {
  const ask = { options: {} };

  it('accepts a proposal with Enter, shows the file, and writes it after y', async () => {
    const host = richHost();

    const { stderr } = await initOn(host, { ...ask, answers: ['', '', '', '', 'y'] });

    expect(await loaded(host)).toMatchObject({ volumeGroup: 'vg0', bridge: 'xenbr0' });
    expect(stderr()).toContain(
      'volumeGroup: volume group for guest disks (default: none, the command must name one)\nthe only volume group that can be used: vg0',
    );
    expect(stderr()).toContain(`${path}:\n// The settings of bofh`);
  });

  it('accepts other values, leaves out what is -, and asks again for one that the host does not have', async () => {
    const host = twoGroups();
    host.admin.mkdir('/srv/xen');
    const answers = ['vg2', 'vg1', 'srv', '/srv/none', '/srv/xen', running, '-', 'y'];

    const { stderr } = await initOn(host, { ...ask, answers });

    expect(await loaded(host)).toEqual({
      ...defaultSite,
      ...{ volumeGroup: 'vg1', guestConfigDirs: ['/srv/xen'] },
      ...{ guestKernel: running, guestRamdisk: '/boot/initrd.img-6.1.0-18-amd64' },
    });
    expect(stderr()).toContain('there is no volume group "vg2": use one of these: vg0, vg1');
    expect(stderr()).toContain('must be an absolute path');
    expect(stderr()).toContain('there is no directory /srv/none');
  });

  it.each([
    ['without a y', ['', '', '', '', 'n']],
    ['at the end of the input', ['', () => undefined, '', '', 'y']],
  ])('writes nothing %s', async (_, answers) => {
    const host = richHost();
    const before = host.snapshot();

    const error = await rejectionOf(initOn(host, { ...ask, answers }));

    expect(error).toBeInstanceOf(RefusedError);
    expect(error).toMatchObject({ message: '"init" was not confirmed' });
    expect(host.snapshot()).toBe(before);
  });

  it('is refused without a terminal and without --yes', async () => {
    const host = richHost();
    const before = host.snapshot();

    const error = await rejectionOf(initOn(host, ask));

    expect(error).toMatchObject({ message: '"init" needs confirmation, but there is no terminal' });
    expect(host.snapshot()).toBe(before);
  });
});

describe('bofh init', () => {
  it.each([path, '/etc/bofh/site-specific.js', '/etc/bofh/site-specific.json'])(
    'never replaces %s',
    async (there) => {
      const host = richHost();
      host.admin.mkdir('/etc/bofh');
      host.admin.writeFile(there, '{}');
      const before = host.snapshot();

      const error = await rejectionOf(initOn(host));

      expect(error).toBeInstanceOf(RefusedError);
      expect(error).toMatchObject({
        code: 'exists',
        message: `there is a site file already: ${there}`,
        remedy: `bofh --site ${there} doctor --settings shows what it sets; to begin again: mv ${there} ${there}.old`,
      });
      expect(host.snapshot()).toBe(before);
    },
  );

  it('replaces the example of the Debian package, and no changed one', async () => {
    const example = readFileSync(new URL('../../../site-specific.ts', import.meta.url), 'utf8');
    const host = richHost();
    host.admin.mkdir('/etc/bofh');
    host.admin.writeFile(path, `${example}\n`);
    expect(await rejectionOf(initOn(host))).toMatchObject({ code: 'exists' });
    host.admin.writeFile(path, example);

    expect(await initOn(host)).toMatchObject({ exitCode: 0 });

    expect(host.admin.readFile(path)).not.toContain('defineSite');
    expect(await loaded(host)).toMatchObject({ bridge: 'xenbr0' });
    expect(await rejectionOf(initOn(host))).toMatchObject({ code: 'exists' });
  });

  it('prints only its answer with --quiet', async () => {
    const host = richHost();

    const { exitCode, stderr } = await initOn(host, { options: { yes: true, quiet: true } });

    expect([exitCode, stderr()]).toEqual([0, '']);
    expect(await loaded(host)).toMatchObject({ bridge: 'xenbr0' });
  });

  it('names BOFH_SITE as the existing site file', async () => {
    const host = richHost();
    host.admin.writeFile('/root/site.json', '{}');

    const error = await rejectionOf(initOn(host, { options: { yes: true, site: '/root/site.json' } }));

    expect(error).toMatchObject({ message: 'there is a site file already: /root/site.json' });
  });

  it('refuses a directory that others can write, before it asks', async () => {
    const host = richHost();
    host.admin.mkdir('/srv/open');
    host.admin.chown('/srv/open', 1000);

    const error = await rejectionOf(
      initOn(host, { options: {}, answers: ['x'], words: 'init --file /srv/open/site.ts' }),
    );

    expect(error).toBeInstanceOf(UsageError);
    expect(error).toMatchObject({ remedy: 'chown root /srv/open' });
  });

  it('writes TypeScript alone', async () => {
    const error = await rejectionOf(initOn(richHost(), { words: 'init --file /root/site.json' }));

    expect(error).toMatchObject({ message: '--file /root/site.json: must end in .ts' });
  });

  it('writes another file with --file, and says how to use it', async () => {
    const host = hostWithSource();

    const { stderr } = await initOn(host, { words: 'init --file /root/site.ts' });

    expect(host.admin.readFile('/root/site.ts')).toContain("volumeGroup: 'vg0',");
    expect(stderr()).toContain('next: bofh --site /root/site.ts doctor --settings');
  });

  it('prints the file and the plan in a dry run, and writes nothing', async () => {
    const host = richHost();
    const before = host.snapshot();

    const { stdout } = await initOn(host, { options: { dryRun: true } });

    expect(stdout()).toContain("\n  volumeGroup: 'vg0',\n");
    expect(stdout()).toContain(`step 2: file.create (${path})`);
    expect(host.snapshot()).toBe(before);
  });

  it('does not keep a file that cannot be loaded', async () => {
    const host = richHost();
    const before = host.snapshot();

    const error = await rejectionOf(initOn(host, { written: 'export default { volumeGroop: 1 }' }));

    expect(error).toBeInstanceOf(RolledBackError);
    expect(error).toMatchObject({ cause: { message: containing('unknown setting "volumeGroop"') } });
    expect(host.snapshot()).toBe(before);
  });
});

describe('the text of a site file', () => {
  it('contains no code in a comment, whatever a name on the host is', async () => {
    const why = { bridge: 'br0\nthrow new Error("x")\u2028throw 1' };
    const source = siteText({ types: "/a'b/index.d.ts", settings: { bridge: "it's \n`" }, why, sources: [] });

    expect(await readSite('/etc/site.ts', { source, cache: 'unused', warn: () => undefined })).toEqual({
      ...defaultSite,
      bridge: "it's \n`",
    });
  });

  it('has each setting, and is valid when every line is used', async () => {
    const text = siteText({ types: '/x.d.ts', settings: {}, why: {}, sources: [] });
    const source = text.replaceAll(/^ {2}\/\/ (?=\w+: )/gm, '  ');

    const { operations, ...used } = await readSite('/etc/site.ts', {
      ...{ source, cache: 'unused', warn: () => undefined },
    });

    expect(operations).toEqual([]);
    expect(Object.keys(used).length).toBeGreaterThan(10);
    expect(used.hosts.web2).toBeDefined();
  });
});

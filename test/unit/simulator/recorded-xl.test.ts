import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Answer } from '../../../src/command/index.ts';
import { simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { classifyXl, messageOfFailedCreate } from '../../../src/xen/commands.ts';

const uuid = '11111111-2222-4333-8444-555555555555';

/** Each situation of a recording of xl 4.17, brought about on the simulated host; and the call. */
const cases: Readonly<Record<string, (host: SimulatedHost) => readonly string[]>> = {
  'create-name-exists': (host) => (started(host, 'web1'), create(host, 'web1')),
  'create-disk-mounted': (host) => {
    host.admin.mount('/dev/vg0/web1', '/mnt');
    return create(host, 'web2');
  },
  'create-disk-used-by-guest': (host) => (started(host, 'other'), create(host, 'web2')),
  'create-no-disk': (host) => create(host, 'web2', { disk: '/dev/vg0/nosuch' }),
  'create-no-kernel': (host) => create(host, 'web2', { kernel: '/nosuch' }),
  'create-no-memory': (host) => create(host, 'web2', { memory: 100_000 }),
  'create-no-bridge': (host) => create(host, 'web2', { more: "vif = [ 'bridge=nobr' ]\n" }),
  'create-uuid-exists': (host) => {
    host.admin.startDomain({ name: 'web1', uuid });
    return [...create(host, 'web2'), `uuid="${uuid}"`];
  },
  'check-missing-file': () => ['-N', 'create', '/etc/xen/nosuch.cfg'],
  'check-bad-quote': (host) => {
    host.admin.writeFile('/root/bad.cfg', 'name = "x\n');
    return ['-N', 'create', '/root/bad.cfg'];
  },
  'destroy-no-such': () => ['destroy', '77'],
  'destroy-no-such-name': () => ['destroy', 'nosuch'],
  'shutdown-no-such': () => ['shutdown', '-w', '77'],
  'shutdown-no-such-name': () => ['shutdown', '-w', 'nosuch'],
  'shutdown-of-shutdown': (host) => {
    const { domid } = started(host, 'web2');
    host.admin.setDomain('web2', 'shutdown');
    return ['shutdown', '-w', String(domid)];
  },
};

describe('xl fails in the model as on Xen 4.17', () => {
  for (const [name, given] of Object.entries(cases))
    test(name, async () => {
      const host = hostWithDisk();
      const argv = given(host);

      const answer = await xl(host, argv);

      const recorded = read(name);
      expect(answer.exitCode).toBe(recorded.exitCode);
      expect(classifyXl(answer)).toBe(classifyXl(recorded));
      if (name.startsWith('create-')) expect(complaint(answer)).toBe(complaint(recorded));
      else if (name !== 'check-bad-quote') expect(plain(answer.stderr)).toBe(plain(recorded.stderr));
    });
});

/** The disks of a running guest: the argv is that of the recording, of domain 7. */
const disks: Readonly<Record<string, (host: SimulatedHost) => void>> = {
  'block-attach-no-device': () => undefined,
  'block-attach-mounted': (host) => host.admin.mount('/dev/vg0/plug', '/mnt'),
  'block-attach-no-such': () => undefined,
  'block-attach-name-taken': (host) => given(host, {}),
  'block-detach-missing': () => undefined,
  'block-detach-no-such': () => undefined,
  'block-detach-held': (host) => given(host, { kept: true }),
};

describe('xl gives and takes disks in the model as on Xen 4.17', () => {
  test.each(Object.entries(disks))('%s', async (name, prepare) => {
    const host = hostWithDisk();
    for (const more of ['plug', 'blank']) host.admin.lvcreate({ vg: 'vg0', name: more, extents: 2 });
    host.admin.format('/dev/vg0/plug', { type: 'ext4', usage: 'filesystem', uuid });
    host.world.nextDomid = 7;
    started(host, 'web1');
    prepare(host);
    const file = new URL(`../../fixtures/xl/${name}@4.17.7.json`, import.meta.url);
    const recorded = JSON.parse(readFileSync(file, 'utf8')) as Answer & { readonly argv: readonly string[] };

    const answer = await xl(host, recorded.argv.slice(1));

    const same = ({ exitCode, stderr }: Answer) => [
      exitCode,
      stderr
        .replaceAll(/dm-\d+/g, 'dm-N')
        .replaceAll(/\[\d+\]/g, '[N]')
        .trim(),
    ];
    expect(same(answer)).toEqual(same(recorded));
  });
});

function given(host: SimulatedHost, more: { readonly kept?: true }): void {
  for (const domain of host.world.domains)
    domain.disks = [...domain.disks, { vdev: 'xvdb', path: '/dev/vg0/plug', number: '', ...more }];
}

describe('xl list -v prints in the model what it printed on Xen 4.17', () => {
  for (const [name, state] of [
    ['list-running', 'blocked'],
    ['list-crashed', 'crashed'],
    ['list-shutdown', 'shutdown'],
  ] as const)
    test(name, async () => {
      const { stdout: recorded } = read(name);
      const row = /^(?<guest>web\d) +(?<id>\d+) .* (?<uuid>[0-9a-f-]{36}) /m.exec(recorded)?.groups;
      const host = simulatedHost();
      host.world.nextDomid = Number(row?.id);
      host.admin.startDomain({ name: row?.guest ?? '', uuid: row?.uuid ?? '', memory: '128m', state });

      const { stdout } = await xl(host, ['list', '-v']);

      // Seconds and the memory of dom0 are another matter.
      const same = (text: string): string =>
        text.replace(/ +\d+\.\d /g, ' T ').replace(/^(?<head>Domain-0 +0) +\d+/m, '$<head> M');
      expect(same(stdout)).toBe(same(recorded));
    });
});

function hostWithDisk(): SimulatedHost {
  const host = simulatedHost();
  host.admin.lvcreate({ vg: 'vg0', name: 'web1', extents: 2 });
  host.admin.format('/dev/vg0/web1', { type: 'ext4', usage: 'filesystem', uuid });
  return host;
}

function started(host: SimulatedHost, name: string) {
  const number = `${host.world.dmMajor}:${host.world.active.get(host.world.lvm[0]?.lvs[0]?.uuid ?? '') ?? 0}`;
  return host.admin.startDomain({ name, disks: [{ vdev: 'xvda', path: '/dev/vg0/web1', number }] });
}

function create(
  host: SimulatedHost,
  name: string,
  { disk = '/dev/vg0/web1', kernel = '/vmlinuz', memory = 128, more = '' } = {},
): readonly string[] {
  const path = `/etc/xen/${name}.cfg`;
  const text = `name = "${name}"\nkernel = "${kernel}"\nmemory = ${memory}\ndisk = [ "phy:${disk},xvda,w" ]\n${more}`;
  host.admin.writeFile(path, text);
  return ['create', path];
}

async function xl(host: SimulatedHost, argv: readonly string[]): Promise<Answer> {
  const change = host.during({ outputs: '/nowhere', lock: -1 });
  return change.run({ tool: 'xl', argv, access: 'change', accepts: [0, 1, 3], parse: (answer) => answer });
}

/** The output without numbers that differ at each call. */
function complaint({ stderr }: Answer): string | undefined {
  return messageOfFailedCreate(stderr)
    ?.replace(/Domain \d+/, 'Domain N')
    .replace(/\/dev\/dm-\d+/, '/dev/dm-N')
    .replace(/\[\d+\]/, '[N]');
}

function plain(stderr: string): string {
  return stderr.replace(/(?<what>domain) \d+/g, '$<what> N');
}

function read(name: string): Answer {
  const text = readFileSync(new URL(`../../fixtures/xl/${name}@4.17.txt`, import.meta.url), 'utf8');
  const { exit, stdout, stderr } =
    /^\$ .*\nexit (?<exit>\d+)\n--- stdout\n(?<stdout>.*?)--- stderr\n(?<stderr>.*)$/s.exec(text)?.groups ??
    {};
  return { exitCode: Number(exit), stdout: stdout ?? '', stderr: stderr ?? '' };
}

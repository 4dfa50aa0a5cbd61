import { describe, expect, it } from 'vitest';
import { resources } from '../../../src/drbd/index.ts';
import { configText } from '../../../src/drbd/operations/create-config.ts';
import { RolledBackError, UsageError } from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { on, refused, replicated, resourceText, up } from './support.ts';

type Asked = Parameters<Tx['drbd']['createConfig']>[0];

const asked = (more: Partial<Asked> = {}): Asked => ({
  name: 'web2',
  hosts: [
    { name: 'sim', address: '10.0.0.1', port: 7790, volumes: [{ minor: 5, disk: '/dev/vg0/web2-root' }] },
    { name: 'peer', address: '10.0.0.2', port: 7790, volumes: [{ minor: 5, disk: '/dev/vg0/web2-root' }] },
  ],
  ...more,
});
const file = '/etc/drbd.d/web2.res';

const here = (more: Partial<Asked['hosts'][number]>): Asked['hosts'] =>
  asked().hosts.map((host, at) => (at === 0 ? { ...host, ...more } : host));

const text = async (host: SimulatedHost, path = file): Promise<string> =>
  Buffer.from(await host.readFile(path)).toString('utf8');

describe('tx.drbd.createConfig', () => {
  it('writes a file that drbdadm reads as requested, and removes it when the sequence fails', async () => {
    const host = replicated();
    const before = host.snapshot();

    const failed = on(host, async (tx) => {
      expect(await tx.drbd.createConfig(asked())).toEqual({ name: 'web2', file, devices: ['/dev/drbd5'] });
      expect((await resources(host)).map(({ name }) => name)).toEqual(['web1', 'web2']);
      throw new Error('boom');
    });
    await expect(failed).rejects.toBeInstanceOf(RolledBackError);
    expect(host.snapshot()).toBe(before);

    await on(host, (tx) => tx.drbd.createConfig(asked()));
    const written = resourceText('web2', { port: 7790, minor: 5, disk: '/dev/vg0/web2-root' });
    expect(await text(host)).toBe(
      written.replace('    protocol C;\n', '    protocol C;\n    verify-alg crc32c;\n'),
    );
    expect(await host.stat(file)).toMatchObject({ mode: 0o644, links: 1 });
  });

  it('shows only digests when an existing file has another text, because it can have a secret', async () => {
    const host = replicated();
    const written = configText(asked(), 'omitted');
    const secret = written.replace('protocol C;', 'protocol C;\n    shared-secret "geheim";');
    host.admin.writeFile(file, secret);

    const error = await refused(host, (tx) => tx.ensure.drbd.createConfig(asked({ text: written })));

    expect(error.message).toMatch(
      /text "sha256:[0-9a-f]{64}" was requested, but it is "sha256:[0-9a-f]{64}"$/,
    );
    await on(host, (tx) => tx.ensure.drbd.createConfig(asked({ text: secret })));
  });

  it('omits node IDs where drbdadm does not know them, and quotes where needed', async () => {
    const host = replicated();
    const hosts = asked().hosts.map((each, nodeId) => ({
      ...each,
      nodeId,
      volumes: [{ minor: 5, disk: '/dev/vg0/a+b' }],
    }));

    await on(host, (tx) => tx.drbd.createConfig(asked({ hosts })));

    expect(await text(host)).not.toContain('node-id');
    expect(await text(host)).toContain('disk "/dev/vg0/a+b";');
    expect(configText(asked({ hosts }), 'written')).toMatch(/on sim \{\n {4}node-id 0;/);
  });

  it('writes IPv6 addresses, protocols and options', () => {
    const options = {
      net: { 'verify-alg': 'sha256', 'allow-two-primaries': '' },
      disk: { 'c-max-rate': '10M' },
    };
    const written = configText(
      asked({ hosts: here({ address: 'fd00::1' }), protocol: 'A', options }),
      'omitted',
    );
    expect(written).toContain(
      '  net {\n    protocol A;\n    verify-alg sha256;\n    allow-two-primaries;\n  }\n  disk {\n    c-max-rate 10M;\n  }\n',
    );
    expect(written).toContain('    address ipv6 [fd00::1]:7790;\n');
  });

  it.each([
    ['a name that is there', asked({ name: 'web1' }), 'there is a DRBD resource web1 already'],
    [
      'a minor number',
      asked({ hosts: here({ volumes: [{ minor: 0, disk: '/dev/x' }] }) }),
      '/dev/drbd0 belongs to the DRBD resource web1',
    ],
    ['a port', asked({ hosts: here({ port: 7788 }) }), 'port 7788 belongs to the DRBD resource web1'],
    [
      'a disk, by whatever name',
      asked({ hosts: here({ volumes: [{ minor: 5, disk: '/dev/mapper/vg0-web1--root' }] }) }),
      '/dev/mapper/vg0-web1--root belongs to the DRBD resource web1',
    ],
    [
      'a resource of other hosts',
      asked({ hosts: here({ name: 'other' }) }),
      'has no section "on sim" for this host: it names other, peer',
    ],
  ])('refuses %s', async (_, args, words) => {
    const { message, remedy } = await refused(replicated(), (tx) => tx.drbd.createConfig(args));
    expect(message).toContain(words);
    expect(remedy).toMatch(/bofh drbd|drbd\.next|choose another name|uname/);
  });

  it('refuses one disk for two volumes, by whatever names', async () => {
    const host = replicated();
    host.admin.lvcreate({ vg: 'vg0', name: 'fresh', extents: 2 });
    const hosts = asked().hosts.map((each) => ({
      ...each,
      volumes: ['/dev/vg0/fresh', '/dev/mapper/vg0-fresh'].map((disk, at) => ({
        ...{ minor: 5 + at, disk },
      })),
    }));

    const { message } = await refused(host, (tx) => tx.drbd.createConfig(asked({ hosts })));

    expect(message).toContain('/dev/vg0/fresh and /dev/mapper/vg0-fresh are the same device');
  });

  it('refuses what drbdadm refuses, with its message, before anything is written', async () => {
    const host = replicated();
    host.admin.writeFile(
      '/etc/drbd.d/web3.res',
      resourceText('web3', { port: 7790, minor: 9, disk: '/dev/y' }),
    );
    // Another host's part: here nothing of it is taken.
    const hosts = asked().hosts.map((each) =>
      each.name === 'peer' ? { ...each, volumes: [{ minor: 9, disk: '/dev/z' }] } : { ...each, port: 7799 },
    );

    const { message } = await refused(host, (tx) => tx.drbd.createConfig(asked({ hosts })));

    expect(message).toMatch(
      /drbdadm refuses the resource web2: .*conflicting use of .*peer.*nothing was written/,
    );
  });

  it.each([
    ['one host', asked({ hosts: asked().hosts.slice(0, 1) })],
    ['the same host twice', asked({ hosts: here({ name: 'peer' }) })],
    ['the same address twice', asked({ hosts: here({ address: '10.0.0.2' }) })],
    [
      'other numbers of volumes',
      asked({
        hosts: here({ volumes: [...(asked().hosts[0]?.volumes ?? []), { minor: 6, disk: '/dev/y' }] }),
      }),
    ],
    [
      'a minor number twice',
      asked({
        hosts: asked().hosts.map((each) => ({
          ...each,
          volumes: [...each.volumes, { minor: 5, disk: '/dev/y' }],
        })),
      }),
    ],
    ['a node id of one host alone', asked({ hosts: here({ nodeId: 1 }) })],
    ['a secret', asked({ options: { net: { 'shared-secret': 'x' } } })],
    ['a value that ends its line', asked({ options: { net: { 'verify-alg': 'a";\n' } } })],
    ['no address', asked({ hosts: here({ address: 'peer.example' }) })],
    ['a port beyond the last', asked({ hosts: here({ port: 65536 }) })],
    ['the name all', asked({ name: 'all' })],
    ['a name of a device', asked({ name: 'minor-3' })],
    ['a name with a path in it', asked({ name: '../web2' })],
    ['protocol twice', asked({ protocol: 'A', options: { net: { protocol: 'C' } } })],
  ])('refuses a resource with %s', async (_, args) => {
    const host = replicated();
    const before = host.snapshot();
    await expect(on(host, (tx) => tx.drbd.createConfig(args))).rejects.toBeInstanceOf(UsageError);
    expect(host.snapshot()).toBe(before);
  });
});

describe('tx.drbd.removeConfig', () => {
  it('removes the file of a stopped resource, and restores it when the sequence fails', async () => {
    const host = replicated();
    const before = host.snapshot();
    const failed = on(host, async (tx) => {
      await tx.drbd.removeConfig({ name: 'web1' });
      expect(await resources(host)).toEqual([]);
      throw new Error('boom');
    });
    await expect(failed).rejects.toBeInstanceOf(RolledBackError);
    expect(host.snapshot()).toBe(before);

    await on(host, (tx) => tx.drbd.removeConfig({ name: 'web1' }));
    expect(await host.readDir('/etc/drbd.d')).toEqual([]);
  });

  it('refuses a running resource, a missing one, and a file with more content', async () => {
    const remove = (name: string) => (tx: Tx) => tx.drbd.removeConfig({ name });
    expect(await refused(up(), remove('web1'))).toMatchObject({
      message: 'web1 is up: its configuration stays',
      remedy: expect.stringContaining('bofh drbd down web1') as unknown,
    });
    expect(await refused(replicated(), remove('web9'))).toMatchObject({ remedy: 'there are web1' });

    const two = replicated();
    two.admin.writeFile(
      '/etc/drbd.d/web1.res',
      resourceText('web1') + resourceText('web2', { port: 7790, minor: 5, disk: '/dev/y' }),
    );
    expect((await refused(two, remove('web1'))).message).toContain('also contains other resources: web2');

    const more = replicated();
    more.admin.writeFile(
      '/etc/drbd.d/web1.res',
      `# of ours\ncommon {\n  net {\n    protocol A;\n  }\n}\n${resourceText('web1')}`,
    );
    expect((await refused(more, remove('web1'))).message).toContain(
      'holds more than the resource web1: common',
    );
  });

  it('moves a running one to another file of the same text; both steps are undone', async () => {
    const host = up();
    const before = host.snapshot();
    const other = `# kept\n${(await text(host, '/etc/drbd.d/web1.res')).replace('10.0.0.2', '10.0.0.9')}`;
    const { here: mine, configured, state } = (await resources(host))[0] ?? {};
    const hosts = (configured?.hosts ?? []).map(({ names, address, volumes }) => ({
      ...{ name: names[0] ?? '', port: address?.port ?? 0 },
      address: address?.address === '10.0.0.2' ? '10.0.0.9' : (address?.address ?? ''),
      volumes: volumes.map(({ minor, disk = '' }) => ({ minor, disk })),
    }));
    const swap = async (tx: Tx): Promise<void> => {
      await tx.drbd.removeConfig({ name: 'web1', whileUp: true });
      await tx.drbd.createConfig({ name: 'web1', hosts, text: other, whileUp: true });
    };
    const failed = on(host, async (tx) => {
      await swap(tx);
      throw new Error('boom');
    });
    await expect(failed).rejects.toBeInstanceOf(RolledBackError);
    expect(host.snapshot()).toBe(before);

    await on(host, swap);
    expect(await text(host, '/etc/drbd.d/web1.res')).toBe(other);
    expect((await resources(host))[0]).toMatchObject({ here: { address: mine?.address }, state });
  });

  it('refuses a file for a resource that runs with other devices, and a file with other content', async () => {
    const create = (more: Partial<Asked>) => async (tx: Tx) => {
      await tx.drbd.removeConfig({ name: 'web1', whileUp: true });
      await tx.drbd.createConfig(asked({ name: 'web1', whileUp: true, ...more }));
    };
    const before = up().snapshot();
    const host = up();
    await expect(on(host, create({}))).rejects.toMatchObject({
      cause: {
        message: expect.stringContaining(
          'not up with the minor numbers of the new configuration (',
        ) as unknown,
      },
    });
    expect(host.snapshot()).toBe(before);
    await expect(
      on(replicated(), (tx) => tx.drbd.createConfig(asked({ text: resourceText('web2') }))),
    ).rejects.toThrow(/differently from the request|conflicting/);
  });

  it('makes space for another one of the same name in one sequence, and everything is undone', async () => {
    const host = replicated();
    const before = host.snapshot();
    const failed = on(host, async (tx) => {
      await tx.drbd.removeConfig({ name: 'web1' });
      await tx.drbd.createConfig(asked({ name: 'web1' }));
      await tx.drbd.removeConfig({ name: 'web1' });
      throw new Error('boom');
    });
    await expect(failed).rejects.toBeInstanceOf(RolledBackError);
    expect(host.snapshot()).toBe(before);
  });
});

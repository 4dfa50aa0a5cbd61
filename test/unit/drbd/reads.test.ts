import { describe, expect, it } from 'vitest';
import { nextFree, procStatus, resourceNamed, resources, taken } from '../../../src/drbd/index.ts';
import { withoutDrbdSecrets } from '../../../src/drbd/commands.ts';
import { simulatedHost } from '../../../src/simulator/index.ts';
import { device, replicated, resourceText, up } from './support.ts';

describe('the resources of a host', () => {
  it('without the module and a configuration are none, and no program runs', async () => {
    const host = simulatedHost();
    host.fault({ tool: 'drbdsetup', access: 'read', mode: 'fails before', times: 9 });
    host.fault({ tool: 'drbdadm', access: 'read', mode: 'fails before', times: 9 });

    expect(await resources(host)).toEqual([]);
    expect(await procStatus(host)).toBeUndefined();
  });

  it('that are configured and down are listed, with the part of this host', async () => {
    const [web1, ...more] = await resources(replicated());

    expect(more).toEqual([]);
    expect(web1?.state).toBeUndefined();
    expect(web1?.here).toMatchObject({ names: ['sim'], volumes: [{ minor: 0, disk: device }] });
  });

  it('that are up are listed with their state', async () => {
    const web1 = await resourceNamed(up(), 'web1');

    expect(web1.state).toMatchObject({ role: 'Secondary', connections: [{ state: 'Connecting' }] });
  });

  it('that are up without a configuration are listed too', async () => {
    const host = up();
    host.admin.removeFile('/etc/drbd.d/web1.res');

    expect(await resources(host)).toMatchObject([{ name: 'web1', state: { role: 'Secondary' } }]);
    expect((await resourceNamed(host, 'web1')).configured).toBeUndefined();
  });

  it('of an unreadable configuration are an error, not none', async () => {
    const host = up();
    host.admin.writeFile('/etc/drbd.d/broken.res', 'resource broken {\n  on alpha {\n');

    await expect(resources(host)).rejects.toThrow('exit 10: but got end of file');
  });

  // With it drbdadm exits 0.
  it('of a file that was truncated after its first line are an error, which names it', async () => {
    const host = up();
    host.admin.writeFile('/etc/drbd.d/broken.res', 'resource broken {\n');

    await expect(resources(host)).rejects.toMatchObject({
      message: 'the DRBD resource broken (/etc/drbd.d/broken.res:1) is on no host: its file is incomplete',
    });
  });

  it('the error on a host without any names the command that creates one', async () => {
    await expect(resourceNamed(simulatedHost(), 'web1')).rejects.toMatchObject({
      remedy: 'there is none; to create one: bofh drbd create NAME --on HOST,HOST --size SIZE',
    });
  });

  it('the error for an unknown one lists the others', async () => {
    await expect(resourceNamed(replicated(), 'web2')).rejects.toMatchObject({
      message: 'there is no DRBD resource web2',
      remedy: 'there are web1',
    });
  });
});

describe('the next free port and minor', () => {
  it('are the first of all on a host without DRBD', async () => {
    expect(nextFree([await taken(simulatedHost())])).toEqual({ port: 7788, minor: 0 });
  });

  it('are not those of the configuration, of the kernel, or of a listening program', async () => {
    const host = up();
    host.admin.writeFile('/etc/drbd.d/web2.res', resourceText('web2', { port: 7789, minor: 1 }));
    const one = await taken(host);

    expect(nextFree([one])).toEqual({ port: 7790, minor: 2 });
    host.admin.removeFile('/etc/drbd.d/web1.res');
    expect(nextFree([await taken(host)])).toEqual({ port: 7788, minor: 2 });
  });

  it('are free on every one of several hosts', () => {
    const at = (port: number, minor: number) => ({ ports: new Set([port]), minors: new Set([minor]) });

    expect(nextFree([at(7788, 0), at(7789, 2), at(7790, 1)])).toEqual({ port: 7791, minor: 3 });
  });

  it('are refused when none is free', () => {
    const ports = new Set(Array.from({ length: 65536 }, (_, port) => port));

    expect(() => nextFree([{ ports, minors: new Set() }])).toThrow('all ports of DRBD up to 65535 are taken');
  });
});

it.each([
  // shell_escape of shared_tool.c writes a backslash before each space.
  'drbdsetup-84 net-options ipv4:10.0.0.1:7788 --shared-secret=one\\ two\\ three --protocol=C',
  "web1.res:5: Parse error: ';' expected,\n\tbut got 'one'two three' (TK 291)",
  "web1.res:5: Parse error: ';' expected,\n\tbut got 'one'two three",
])('a secret with a space or a quote is not shown: %s', (said) => {
  expect(withoutDrbdSecrets(said)).not.toMatch(/one|two|three/);
  expect(withoutDrbdSecrets(said.replace(' --protocol', ' --ping-int=9 --protocol'))).toMatch(
    /protocol=C|something else/,
  );
});

import { describe, expect, it } from 'vitest';
import { explain } from '../../src/cli/errors/explain.ts';
import { asText } from '../../src/cli/errors/explanation.ts';
import { program } from '../../src/cli/runtime/program.ts';
import { notInstalled, placesOf } from '../../src/host/program.ts';
import { notConnected } from '../../src/host/ssh/failures.ts';
import { simulatedBofh, type SimulatedHost } from '../../src/simulator/index.ts';
import { memoryStore } from '../../src/simulator/store.ts';
import { unsafeSite } from '../../src/site.ts';
import { blocks, pageOf } from '../support/pages.ts';
import { testRuntime } from './cli/support/runtime.ts';
import { create, does, withGuest } from './complaints/support.ts';
import { typed } from './plan/support.ts';
import { hostWithSource } from './simulator/support.ts';

const told = (error: unknown, changes = true): string => asText(explain(error, { root: true, changes }));

/** What a command line prints that does not do what it says. */
async function said(host: SimulatedHost, line: string, changes = true): Promise<string> {
  try {
    const { exitCode, stderr } = await typed(host, line.split(' '));
    expect(exitCode, line).not.toBe(0);
    return stderr;
  } catch (error) {
    // The runtime of the tests has a command line of its own.
    return told(error, changes).replace('bofh test', `bofh ${line}`);
  }
}

function withVolume(): SimulatedHost {
  const host = hostWithSource();
  const uuid = '5f3c1a4e-0000-4000-8000-0000000000aa';
  host.admin.lvcreate({ vg: 'vg0', name: 'data', extents: 16 });
  host.admin.format('/dev/vg0/data', { type: 'ext4', usage: 'filesystem', uuid, version: '1.0' });
  host.admin.mkdir('/srv/data');
  return host;
}

/** A host on which bofh was killed while it created a guest: when this program had ended. */
async function crashed(tool: 'tar' | 'xl' = 'tar'): Promise<SimulatedHost> {
  const host = hostWithSource();
  host.fault({ tool, mode: 'acts then crash' });
  await said(host, create);
  host.clearFaults();
  return host.restart();
}

async function withFault(
  fault: Parameters<SimulatedHost['fault']>[0],
  line: string,
  changes = true,
): Promise<string> {
  const host = withVolume();
  host.fault(fault);
  return await said(host, line, changes);
}

/** By heading of docs/troubleshooting.md: what prints its message. */
const cases: Readonly<Record<string, () => string | Promise<string>>> = {
  'is in use: process': async () => {
    const host = withVolume();
    host.admin.mount('/dev/vg0/data', '/srv/data');
    host.admin.hold('/srv/data', 'tail -f log');
    return await said(host, '--yes lvm remove vg0/data');
  },
  'is in use: a disk of the guest': async () =>
    await said(await withGuest(), 'mount add /dev/vg0/web1-root /mnt'),
  'is not started: its disk': async () => {
    const host = await withGuest();
    host.admin.destroyDomain('web1');
    host.admin.mount('/dev/vg0/web1-root', '/mnt');
    return await said(host, 'vm start web1');
  },
  'exists already': () => said(withVolume(), 'lvm create vg0/data --size 64m'),
  'exists, but differs': () => said(withVolume(), 'lvm create vg0/data --size 128m --ensure'),
  'nothing was written': () => said(withVolume(), 'filesystem create /dev/vg0/data --type ext4'),
  'extents) free': () => said(withVolume(), 'lvm create vg0/more --size 1t'),
  'No space left on device': () => withFault({ tool: 'tar', mode: 'no space' }, create),
  'cannot be written': () =>
    withFault({ tool: 'store', mode: 'no space', times: 999 }, 'lvm create vg0/more --size 64m'),
  'there is no logical volume': () => said(withVolume(), '--yes lvm remove vg0/dota'),
  'exists as domain': async () => await said(await withGuest(), '--yes vm remove web1'),
  'MiB are free': () => said(hostWithSource(), `${create} --memory 64g`),
  'there is no bridge': () => said(hostWithSource(), `${create} --bridge br7`),
  'needs confirmation, but there is no terminal': () => said(withVolume(), 'lvm remove vg0/data'),
  'did you mean': () => said(hostWithSource(), 'lvm delete vg0/data'),
  'is not installed': () => told(notInstalled('mkfs.xfs', 'xfsprogs', placesOf('mkfs.xfs'))),
  'only root may do that': async () => {
    const words = ['lvm', 'create', 'vg9/data', '--size', '64m'];
    const { bofh: _, ...runtime } = testRuntime(simulatedBofh({ host: hostWithSource() })).runtime;
    const root = await program(words, async ({ verb, action }) => {
      await action({ ...runtime, root: false, verb, commandLine: ['bofh', ...words] });
    });
    return await root.parseAsync(words, { from: 'user' }).then(() => 'it did it', told);
  },
  'is refused: it is code that bofh runs as you': () => {
    const at = '/etc/bofh/site-specific.ts';
    return told(
      unsafeSite(at, { at, why: 'can be written by others (mode 666)', repair: `chmod go-w ${at}` }),
    );
  },
  'failed and was rolled back': () =>
    withFault({ tool: 'mkfs.ext4', mode: 'fails before', stderr: 'mkfs.ext4: Input/output error\n' }, create),
  'is in use by sequence': async () => {
    const host = hostWithSource();
    host.fault({ tool: 'mkfs.ext4', mode: 'hangs' });
    const first = typed(host, create.split(' '));
    await expect.poll(() => host.points.some(({ tool }) => tool === 'mkfs.ext4')).toBe(true);
    const text = await said(host, '--yes lvm remove vg0/web1-root');
    host.letGo();
    await first;
    return text;
  },
  'belongs to the unfinished sequence': async () =>
    await said(await crashed(), '--yes lvm remove vg0/web1-root'),
  'could not be undone': async () => {
    const host = await crashed();
    host.admin.umount(host.world.mounts.at(-1)?.path ?? '');
    host.admin.mount('/dev/vg0/web1-root', '/mnt');
    return await said(host, 'recover');
  },
  'is left open': async () => await said(await crashed('xl'), 'recover'),
  'its checksum is wrong': async () => {
    const host = await crashed();
    const store = memoryStore({ host });
    const name = store.names('.').find((each) => each.endsWith('.journal')) ?? '';
    const text = Buffer.from(store.open(name)?.read() ?? []).toString();
    host.admin.writeFile(`${store.directory}/${name}`, text.replace('web1', 'web2'), 0o600);
    return await said(host, 'lvm create vg0/more --size 64m');
  },
  'cannot be undone': async () => {
    const host = withVolume();
    await does(host, 'lvm remove vg0/data');
    const [name = ''] = memoryStore({ host }).names('history');
    return await said(host, `--yes undo ${name.replace('.journal', '')}`);
  },
  'could not be parsed': () =>
    withFault({ tool: 'lvs', access: 'read', mode: 'garbage answer', times: 99 }, 'lvm list', false),
  'does not answer': () =>
    told(
      notConnected(
        'web2',
        { destination: 'web2' },
        'ssh: connect to host web2 port 22: No route to host\r\n',
      ),
    ),
  'is not in known_hosts': () =>
    told(notConnected('web2', { destination: 'web2' }, 'Host key verification failed.\r\n')),
};

const sections = pageOf('docs/troubleshooting.md')
  .split(/^## /m)
  .slice(1)
  .map((text) => ({ heading: text.split('\n')[0] ?? '', block: blocks(text, 'text')[0] ?? '' }));

/** Ids of sequences are random, and `…` leaves words out. */
const withoutIds = (text: string): string => text.replaceAll(/\b[0-9a-f]{12}\b/g, 'ID');
const pattern = (block: string): RegExp =>
  new RegExp(
    withoutIds(block.trimEnd())
      .split('…')
      .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
      .join('[^]*'),
  );

describe('docs/troubleshooting.md', () => {
  it('has a printed message below each heading that quotes it', () => {
    expect(sections.map(({ heading }) => heading)).toEqual(Object.keys(cases));
    expect(sections.filter(({ heading, block }) => !block.includes(heading))).toEqual([]);
  });

  it.each(sections)('quotes the printed message: $heading', async ({ heading, block }) => {
    const printed = withoutIds((await cases[heading]?.()) ?? '');

    expect(printed).toMatch(pattern(block));
  });
});

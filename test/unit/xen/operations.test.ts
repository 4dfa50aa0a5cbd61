import { beforeEach, describe, expect, test } from 'vitest';
import type { DeviceKeys } from '../../../src/atomic/operation.ts';
import { CommandError, RefusedError, UsageError } from '../../../src/core/errors.ts';
import { create, shutdown } from '../../../src/xen/operations.ts';
import { type FakeHost, fakeHost } from './fake-host.ts';

const uuid = '11111111-2222-4333-8444-555555555555';
const foreign = '99999999-2222-4333-8444-555555555555';
const config = '/etc/xen/web1.cfg';
const text = `name = "web1"
memory = 128
kernel = "/boot/k"
disk = ['phy:/dev/vg/web1,xvda,w', '/srv/cd.iso,,xvdb,r']
vif = ['mac=00:16:3E:00:00:01']
`;
const args = { config, name: 'web1' };
const mark = 'bofh.j.1';
const noDevices = async (path: string): Promise<DeviceKeys> => ({
  key: `lv:${path}`,
  beneath: ['vg:vg', 'dev:sda'],
});

let host: FakeHost;
beforeEach(() => {
  host = fakeHost();
  host.files.set(config, text);
  host.files.set('/boot/k', '');
  host.files.set('/srv/cd.iso', '');
  host.devices.set('/dev/vg/web1', '253:16');
  host.files.set('/proc/swaps', 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n');
  host.files.set('/proc/self/mountinfo', '20 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n');
  host.links.set('/sys/dev/block/253:16', '../../devices/virtual/block/dm-16');
});
/** As the engine does it: once before the locks, and again under them. */
const prepared = async (more: object = {}) => {
  const asked = { args: { ...args, ...more }, mark, host };
  return create.prepare({ ...asked, chosen: await create.prepare(asked) });
};
const started = async () => {
  const undo = await prepared();
  return { undo, result: await create.run({ args, undo, host }) };
};

describe('creating a domain', () => {
  test('chooses the UUID before the act and keeps it under the locks', async () => {
    const first = await create.prepare({ args, mark, host });
    const second = await create.prepare({ args, mark, host, chosen: first });

    expect(first).toMatchObject({
      name: 'web1',
      config,
      uuid: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
    });
    expect(second).toEqual(first);
  });

  test('uses the UUID of the config', async () => {
    host.files.set(config, `${text}uuid = "${uuid}"\n`);

    expect(await prepared()).toMatchObject({ uuid });
  });

  test('locks the name, the UUID, the MAC, the config and the disks with everything beneath', async () => {
    const undo = { ...((await prepared()) as object), uuid };

    expect(await create.claims({ args, undo, on: noDevices })).toEqual({
      makes: ['dom:web1', `dom-uuid:${uuid}`, 'mac:00:16:3e:00:00:01'],
      changes: ['lv:/dev/vg/web1'],
      needs: [`file:${config}`, 'vg:vg', 'dev:sda', 'file:/srv/cd.iso'],
    });
  });

  test('starts the guest with that UUID and returns its domain ID', async () => {
    const { undo, result } = await started();

    expect(result).toEqual({ domid: 1 });
    expect(host.domains[1]).toMatchObject({ id: 1, name: 'web1', uuid: (undo as { uuid: string }).uuid });
    expect(create.value({ args, undo, result })).toMatchObject({ name: 'web1', domid: 1 });
    expect(await create.look({ undo, result, host })).toEqual({
      state: 'ours',
      holders: [
        {
          kind: 'guest',
          domid: 1,
          name: 'web1',
          words: 'the guest web1 is domain 1, running',
          free: ['xl', 'destroy', '1'],
        },
      ],
    });
  });

  test.each(['rbd:pool/image', 'nbd:10.0.0.1:10809'])(
    'starts a guest with the network disk %s, which has no path here',
    async (target) => {
      host.files.set(
        config,
        text.replace('disk = [', `disk = ['backendtype=qdisk,vdev=xvdc,target=${target}', `),
      );

      const { undo, result } = await started();

      expect(result).toEqual({ domid: 1 });
      expect(undo).toMatchObject({ disks: [{ path: '/dev/vg/web1' }, { path: '/srv/cd.iso' }] });
    },
  );

  test('leaves it paused on request', async () => {
    const undo = await prepared({ initially: 'paused' });
    await create.run({ args, undo, host });

    expect(host.ran.at(-3)).toContain('-p');
    expect(host.domains[1]?.flags).toBe('--p---');
  });

  test('is undone by its domain ID, without the result too, and twice', async () => {
    const { undo } = await started();

    await create.revert({ undo, host });
    await create.revert({ undo, host });

    expect(host.domains).toHaveLength(1);
    expect(host.ran).toContain('destroy 1');
    expect(await create.look({ undo, host })).toEqual({ state: 'gone' });
  });

  test('fails when xl exits 0 and no domain exists', async () => {
    const undo = await prepared();
    host.fault = ([verb]) => (verb === 'create' ? { exitCode: 0 } : undefined);

    await expect(create.run({ args, undo, host })).rejects.toThrow(
      'it exited 0, but there is no such domain',
    );
  });

  test('reports the message of xl when it fails', async () => {
    const undo = await prepared();
    const stderr =
      'Parsing config from x\nlibxl: error: libxl_a.c:1:f: Domain 2:Domain with name "web1" already exists.\nlibxl: error: libxl_b.c:2:g: Domain 2:Unable to destroy guest\n';
    host.fault = ([verb]) => (verb === 'create' ? { exitCode: 3, stderr } : undefined);

    const error: unknown = await create.run({ args, undo, host }).catch((thrown: unknown) => thrown);

    expect(error).toBeInstanceOf(CommandError);
    expect(error).toMatchObject({ reason: 'exists', exitCode: 3 });
    expect((error as CommandError).message).toContain(
      'exit 3: Domain 2:Domain with name "web1" already exists.',
    );
  });

  test('a failed destroy of a domain that ended by itself is no failure', async () => {
    const { undo } = await started();
    host.fault = ([verb]) => {
      if (verb !== 'destroy') return undefined;
      host.domains.splice(1);
      host.backends.clear();
      return { exitCode: 1, stderr: 'Domain 1:Non-existant domain' };
    };

    await create.revert({ undo, host });

    expect(await create.look({ undo, host })).toEqual({ state: 'gone' });
  });
});

describe('looking for a domain', () => {
  test.each([
    ['nameless, half-built', { name: undefined, flags: '--p---' }],
    ['named, without configuration', { name: 'web1', flags: '--p---', building: true as const }],
    ['dying', { name: undefined, flags: '--ps-d' }],
    ['crashed', { name: 'web1', flags: '---sc-' }],
  ])('%s is ours, and has no holder', async (_, found) => {
    const undo = (await prepared()) as { uuid: string };
    host.domains.push({ id: 4, uuid: undo.uuid, ...found });

    expect(await create.look({ undo, host })).toEqual({ state: 'ours', holders: [] });
  });

  test('a backend with our disk for a domain that is gone is ours', async () => {
    const undo = await prepared();
    host.backends.set('vbd-9-51712', 'fd:10');

    expect(await create.look({ undo, host })).toEqual({ state: 'ours', holders: [] });
  });

  test('a backend with our disk for a foreign running domain is not', async () => {
    const undo = await prepared();
    host.domains.push({
      id: 9,
      name: 'other',
      uuid: '99999999-1111-4222-8333-444444444444',
      flags: '-b----',
    });
    host.backends.set('vbd-9-51712', 'fd:10');

    expect(await create.look({ undo, host })).toEqual({ state: 'gone' });
  });

  test('a backend with another disk is not, except of our domain', async () => {
    const undo = await prepared();
    host.backends.set('vif-9-0', '');
    host.backends.set('vbd-9-51712', 'fd:2');

    expect(await create.look({ undo, host })).toEqual({ state: 'gone' });
    expect(await create.look({ undo, result: { domid: 9 }, host })).toMatchObject({ state: 'ours' });
  });

  test.each([
    ['our name under another uuid', { name: 'web1', uuid: foreign }],
    ['our uuid under another name', { name: 'other', uuid: '' }],
  ])('%s is foreign, and survives the undo', async (_, found) => {
    const undo = (await prepared()) as { uuid: string };
    host.domains.push({ id: 4, flags: '-b----', name: found.name, uuid: found.uuid || undo.uuid });

    expect(await create.look({ undo, host })).toMatchObject({
      state: 'not-ours',
      found: expect.stringContaining('domain 4, running') as string,
    });
    await create.revert({ undo, host });
    expect(host.domains).toHaveLength(2);
  });
});

describe('a domain is not created', () => {
  test.each([
    [
      'its name is taken',
      (h: FakeHost) => h.domains.push({ id: 3, name: 'web1', uuid: foreign, flags: '--p---' }),
      'domain 3, paused has its name (bofh vm resume web1)',
    ],
    [
      'its uuid is taken',
      (h: FakeHost) => {
        h.files.set(config, `${text}uuid="${foreign}"\n`);
        h.domains.push({ id: 3, name: 'x', uuid: foreign, flags: '-b----' });
      },
      `domain 3, running has its uuid ${foreign}`,
    ],
    ['the kernel is missing', (h: FakeHost) => h.files.delete('/boot/k'), 'there is no /boot/k'],
    ['a disk is missing', (h: FakeHost) => h.devices.clear(), 'there is no disk /dev/vg/web1'],
    [
      'a disk is another guest’s',
      (h: FakeHost) => h.backends.set('vbd-7-51712', 'fd:10'),
      'its disk /dev/vg/web1 is in use: a disk of the guest with domid 7',
    ],
    [
      'memory is short',
      (h: FakeHost) => {
        h.freeMiB = 129;
      },
      'web1 needs 130 MiB of memory, but only 129 MiB are free',
    ],
    [
      'memory is short for the page tables of its maxmem',
      (h: FakeHost) => {
        h.files.set(config, `${text}type = "pvh"\nmaxmem = 1024\n`);
        h.freeMiB = 139;
      },
      'web1 needs 140 MiB of memory, but only 139 MiB are free',
    ],
    [
      'its bridge is missing',
      (h: FakeHost) => h.files.set(config, text.replace('mac=', 'bridge=br7,mac=')),
      'there is no bridge br7',
    ],
  ])('when %s', async (_, spoil, why) => {
    spoil(host);

    await expect(prepared()).rejects.toThrow(RefusedError);
    await expect(prepared()).rejects.toThrow(why);
    expect(host.ran.filter((line) => /^(create|destroy)/.test(line))).toEqual([]);
  });

  test('and all reasons are reported at once', async () => {
    host.files.delete('/boot/k');
    host.freeMiB = 1;

    await expect(prepared()).rejects.toThrow(/no \/boot\/k; .*1 MiB are free/);
  });

  test.each([
    ['is missing', (h: FakeHost) => h.files.delete(config), 'there is no guest configuration'],
    [
      'is no xl.cfg',
      (h: FakeHost) => h.files.set(config, 'name = x'),
      `${config}:1: expected a quoted string`,
    ],
    [
      'is of another guest',
      (h: FakeHost) => h.files.set(config, text.replace('web1', 'web2')),
      'is the configuration of web2, not of web1',
    ],
  ])('when its config %s', async (_, spoil, why) => {
    spoil(host);

    await expect(prepared()).rejects.toThrow(UsageError);
    await expect(prepared()).rejects.toThrow(why);
  });

  test('when xl refuses its config, which is checked under the locks', async () => {
    host.checkFails = 'disk: unknown value';

    await expect(prepared()).rejects.toThrow(UsageError);
    await expect(prepared()).rejects.toThrow(`${config}: xl does not accept it`);
    expect(host.ran.filter((line) => line.startsWith('create'))).toEqual([]);
  });

  test('but memory may come from dom0 where xl is configured so', async () => {
    host.freeMiB = 1;
    host.commandLine = 'console=com1';
    await expect(prepared()).resolves.toBeDefined();

    host.files.set('/etc/xen/xl.conf', 'autoballoon="off"\n');
    await expect(prepared()).rejects.toThrow('130 MiB');
  });
});

describe('shutting a guest down', () => {
  const asked = async (how: 'shutdown' | 'destroy', uuidNow: string, more: object = {}) => {
    const what = { args: { name: 'web1', uuid: uuidNow, config, how, ...more }, mark, host };
    return shutdown.prepare({ ...what, chosen: await shutdown.prepare(what) });
  };
  const running = async () => ((await started()).undo as { uuid: string }).uuid;

  test('is refused when xl would refuse the config for a restart', async () => {
    const id = await running();
    host.checkFails = 'disk: unknown value';

    await expect(asked('shutdown', id)).rejects.toThrow(`${config}: xl does not accept it`);
    expect(host.domains).toHaveLength(2);
  });

  test.each(['shutdown', 'destroy'] as const)(
    '%s: it is gone, and the undo starts it with its UUID',
    async (how) => {
      const id = await running();
      const undo = await asked(how, id);
      expect(await shutdown.look({ undo, host })).toEqual({ state: 'gone' });

      await shutdown.run({ args: { name: 'web1', uuid: id, config, how }, undo, host });

      expect(host.domains).toHaveLength(1);
      expect([...host.files.keys()].filter((file) => file.startsWith('/run/bofh'))).toEqual([]);
      expect(await shutdown.look({ undo, host })).toEqual({ state: 'ours' });

      await shutdown.revert({ undo, host });

      expect(host.domains[1]).toMatchObject({ name: 'web1', uuid: id, flags: '-b----' });
      expect(await shutdown.look({ undo, host })).toEqual({ state: 'gone' });
      await shutdown.revert({ undo, host });
      expect(host.domains).toHaveLength(2);
    },
  );

  test('one that takes too long fails with the remedy; the undo starts it again if it then ends', async () => {
    const id = await running();
    const undo = await asked('shutdown', id);
    host.fault = ([verb]) =>
      verb === 'shutdown' ? { exitCode: 1, stderr: "guest didn't acknowledge control request" } : undefined;

    await expect(
      shutdown.run({ args: { name: 'web1', uuid: id, config, how: 'shutdown' }, undo, host }),
    ).rejects.toThrow('web1 did not shut down within 300 s: it may still be shutting down');

    expect(await shutdown.look({ undo, host })).toEqual({ state: 'ours' });
    setTimeout(() => {
      host.domains.splice(1);
      host.backends.clear();
    }, 200);
    await shutdown.revert({ undo, host });
    expect(host.domains[1]).toMatchObject({ uuid: id, id: 2 });
    expect(await shutdown.look({ undo, host })).toEqual({ state: 'gone' });
  });

  test('killed after the request: the undo waits for its end, and starts it again', async () => {
    const id = await running();
    const undo = (await asked('shutdown', id)) as { marker: string };
    host.files.set(undo.marker, '');
    setTimeout(() => {
      host.domains.splice(1);
      host.backends.clear();
    }, 200);

    expect(await shutdown.look({ undo, host })).toEqual({ state: 'ours' });
    await shutdown.revert({ undo, host });

    expect(host.domains[1]).toMatchObject({ id: 2, uuid: id });
    expect(host.files.has(undo.marker)).toBe(false);
    expect(await shutdown.look({ undo, host })).toEqual({ state: 'gone' });
  });

  test.each([
    [2, 'because of timeout', true],
    [3, 'because of timeout', false],
    [1, 'Out of memory', false],
  ])('started again although the first %d fail: %s', async (failing, stderr, works) => {
    const id = await running();
    const undo = await asked('destroy', id);
    host.domains.splice(1);
    host.backends.clear();
    let left = failing;
    host.fault = ([verb]) => (verb === 'create' && left-- > 0 ? { exitCode: 3, stderr } : undefined);

    const failure: unknown = await shutdown.revert({ undo, host }).catch((error: unknown) => error);

    expect(failure instanceof CommandError).toBe(!works);
    expect(host.domains).toHaveLength(works ? 2 : 1);
  });

  test('keeps a guest running that ignored the request', async () => {
    const id = await running();
    const undo = (await asked('shutdown', id, { timeoutMs: 300 })) as { marker: string };
    host.files.set(undo.marker, '');

    await shutdown.revert({ undo, host });

    expect(host.domains[1]).toMatchObject({ id: 1, uuid: id });
    expect(host.files.has(undo.marker)).toBe(false);
    expect(await shutdown.look({ undo, host })).toEqual({ state: 'gone' });
  });

  test('destroys and starts a guest that was paused in the middle of its destruction', async () => {
    const id = await running();
    const undo = (await asked('destroy', id)) as { marker: string };
    host.files.set(undo.marker, '');
    for (const domain of host.domains) if (domain.id === 1) domain.flags = '--p---';

    expect(await shutdown.look({ undo, host })).toEqual({ state: 'ours' });
    await shutdown.revert({ undo, host });

    expect(host.domains[1]).toMatchObject({ id: 2, uuid: id, flags: '-b----' });
  });

  test('killed after the undo started it: it is unchanged', async () => {
    const id = await running();
    const undo = (await asked('shutdown', id)) as { marker: string; domid: number };
    host.files.set(undo.marker, '');
    for (const domain of host.domains) if (domain.id === undo.domid) domain.id = 8;

    await shutdown.revert({ undo, host });

    expect(host.domains.map((domain) => domain.id)).toEqual([0, 8]);
    expect(await shutdown.look({ undo, host })).toEqual({ state: 'gone' });
  });

  test('destroys a guest that is off but still listed (no monitor)', async () => {
    const id = await running();
    const undo = await asked('shutdown', id);
    host.fault = ([verb]) => {
      if (verb !== 'shutdown') return undefined;
      for (const domain of host.domains) if (domain.id === 1) domain.flags = '---s--';
      return { exitCode: 1, stderr: 'x' };
    };

    await shutdown.run({ args: { name: 'web1', uuid: id, config, how: 'shutdown' }, undo, host });

    expect(host.domains).toHaveLength(1);
  });

  test('keeps another guest with its name, and the undo is stuck until the name is free again', async () => {
    const undo = await asked('destroy', await running());
    host.domains.splice(1, 1, { id: 5, name: 'web1', uuid: foreign, flags: '-b----' });

    expect(await shutdown.look({ undo, host })).toEqual({ state: 'ours' });
    await expect(shutdown.revert({ undo, host })).rejects.toThrow(`domain 5, running has its name`);

    expect(host.domains.map(({ id }) => id)).toEqual([0, 5]);
  });

  test.each([
    ['--p---', 'shutdown', 'not running: domain 1, paused'],
    ['---sc-', 'destroy', 'not running: domain 1, crashed'],
    ['---s-d', 'destroy', 'not running: domain 1, dying'],
  ] as const)('is refused when it is %s and must %s', async (flags, how, why) => {
    const id = await running();
    for (const domain of host.domains) if (domain.id === 1) domain.flags = flags;

    await expect(asked(how, id)).rejects.toThrow(RefusedError);
    await expect(asked(how, id)).rejects.toThrow(why);
  });

  test('is refused for a name with another UUID', async () => {
    await running();

    await expect(asked('destroy', foreign)).rejects.toThrow(RefusedError);
  });
});

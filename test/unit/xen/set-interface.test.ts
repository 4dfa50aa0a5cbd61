import { beforeEach, describe, expect, test } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { RefusedError, UsageError } from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';

const uuid = '5e1f0000-0000-4000-8000-00000000000a';
const own = '00:16:3e:00:00:01';
const more = '00:16:3e:00:00:02';

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  host.admin.startDomain({ name: 'web1', uuid, memory: '128m' });
  put([{ mac: own, bridge: 'xenbr0' }]);
});

const guest = () => host.world.domains.find(({ name }) => name === 'web1');
const given = (): readonly string[] => guest()?.nics.map(({ mac, bridge }) => `${mac} ${bridge}`) ?? [];
const sequence = (body: (tx: Tx) => Promise<unknown>) =>
  withBofh(simulatedBofh({ host }), () => atomic('test', body));
const connect = (mac: string, bridge: string | null) =>
  sequence((tx) => tx.xen.setInterface({ name: 'web1', uuid, mac, bridge }));
/** What others do. */
function put(nics: readonly { readonly mac: string; readonly bridge: string }[]): void {
  const domain = guest();
  if (domain !== undefined) domain.nics = nics;
}

test.each([
  ['gets an interface', more, 'xenbr0', [`${own} xenbr0`, `${more} xenbr0`]],
  ['loses an interface', own, null, []],
])('a running guest %s, and has what it had after the undo', async (_, mac, bridge, after) => {
  await rejectionOf(
    sequence(async (tx) => {
      await tx.xen.setInterface({ name: 'web1', uuid, mac, bridge });
      expect(given()).toEqual(after);
      throw new Error('fails later');
    }),
  );
  expect(given()).toEqual([`${own} xenbr0`]);

  await connect(mac, bridge);

  expect(given()).toEqual(after);
});

test('an interface that others put on another bridge stays', async () => {
  await rejectionOf(
    sequence(async (tx) => {
      await tx.xen.setInterface({ name: 'web1', uuid, mac: more, bridge: 'xenbr0' });
      put([{ mac: more, bridge: 'lan' }]);
      throw new Error('fails later');
    }),
  );

  expect(given()).toEqual([`${more} lan`]);
});

test('the undo does not attach an interface whose MAC address another guest has now', async () => {
  const error = await rejectionOf(
    sequence(async (tx) => {
      await tx.xen.setInterface({ name: 'web1', uuid, mac: own, bridge: null });
      host.admin.startDomain({ name: 'copy', nics: [{ mac: own, bridge: 'xenbr0' }] });
      throw new Error('fails later');
    }),
  );

  expect(error).toMatchObject({
    blocked: [{ kind: 'xen.interface.set' }],
    message: expect.stringContaining(`domain 2 has the MAC address ${own} already`) as unknown,
  });
  expect(given()).toEqual([]);
});

test('the undo says how to resume a guest that was paused: bofh refuses it to others', async () => {
  const error = await rejectionOf(
    sequence(async (tx) => {
      await tx.xen.setInterface({ name: 'web1', uuid, mac: more, bridge: 'xenbr0' });
      host.admin.setDomain('web1', 'paused');
      throw new Error('fails later');
    }),
  );

  expect(error).toMatchObject({
    blocked: [{ kind: 'xen.interface.set', remedy: 'xl unpause 1; then: bofh recover' }],
  });
});

describe('nothing is changed', () => {
  const nothing = (): void => undefined;
  test.each<readonly [string, () => void, string, string | null, unknown, RegExp]>([
    ['if it has no such interface', nothing, more, null, UsageError, /no interface with the MAC address/],
    [
      'if it has that address',
      nothing,
      own,
      'xenbr0',
      RefusedError,
      /domain 1 has the MAC address .* already/,
    ],
    [
      'if another guest has that address',
      () => {
        host.admin.startDomain({ name: 'web2' });
        for (const domain of host.world.domains)
          if (domain.name === 'web2') domain.nics = [{ mac: more, bridge: 'lan' }];
      },
      more,
      'xenbr0',
      RefusedError,
      /domain 2 has the MAC address/,
    ],
    ['if there is no such bridge', nothing, more, 'nobr0', RefusedError, /there is no bridge nobr0/],
    [
      'without a bridge',
      () => put([{ mac: own } as never]),
      own,
      null,
      RefusedError,
      /has no bridge, and an undo/,
    ],
    ['if it is paused', () => host.admin.setDomain('web1', 'paused'), more, 'xenbr0', RefusedError, /paused/],
    [
      'if it has ended',
      () => host.admin.destroyDomain('web1'),
      more,
      'xenbr0',
      RefusedError,
      /no domain web1/,
    ],
  ])('%s', async (_, before, mac, bridge, kind, message) => {
    before();
    const was = given();

    const error = await rejectionOf(connect(mac, bridge));

    expect(error).toBeInstanceOf(kind);
    expect((error as Error).message).toMatch(message);
    expect(given()).toEqual(was);
  });
});

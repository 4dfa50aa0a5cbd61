import { describe, expect, it } from 'vitest';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import {
  blankVolume,
  contentOf,
  device,
  encrypted,
  on,
  programsOf,
  refusalOf,
  undone,
  uuid,
} from './support.ts';

const slots = (host: SimulatedHost): number | undefined => contentOf(host)?.luks?.slots.length;

const refused = async (host: SimulatedHost, named = uuid): Promise<string> =>
  String(await refusalOf(host, () => on(host, (tx) => tx.crypt.erase({ device, uuid: named }))));

describe('crypt.erase', () => {
  it.each([1, 2] as const)(
    'destroys every key of a LUKS%d device after the commit, and leaves its header',
    async (version) => {
      const host = encrypted(version);

      await on(host, async (tx) => {
        await tx.crypt.erase({ device, uuid });
        expect(slots(host)).toBe(1);
      });

      expect(slots(host)).toBe(0);
      expect(contentOf(host)?.superblock).toMatchObject({ type: 'crypto_LUKS', uuid });
      expect(programsOf(host)).toEqual([`cryptsetup luksErase --batch-mode ${device}`]);
    },
  );

  it('does not run when a later step fails', async () => {
    const host = encrypted();

    await undone(host, (tx) => tx.crypt.erase({ device, uuid }));

    expect(slots(host)).toBe(1);
  });

  it('refuses another device than named, an open one, one without keys, and none', async () => {
    const open = encrypted();
    open.admin.luksOpen(device, 'mine');
    const erased = encrypted();
    await on(erased, (tx) => tx.crypt.erase({ device, uuid }));
    const again = await rejectionOf(on(erased, (tx) => tx.crypt.erase({ device, uuid })));

    expect(await refused(encrypted(), uuid.replace('5', '6'))).toContain(`is the LUKS device ${uuid}`);
    expect(await refused(open)).toContain('is in use: beneath /dev/mapper/mine');
    expect(String(again)).toContain('it has been erased');
    expect(await refused(blankVolume())).toContain('is not a LUKS device');
  });

  it('is stuck when it was opened since, and destroys nothing', async () => {
    const host = encrypted();

    const error = await rejectionOf(
      on(host, async (tx) => {
        await tx.crypt.erase({ device, uuid });
        host.admin.luksOpen(device, 'theirs');
      }),
    );

    expect(String(error)).toContain('StuckError');
    expect(slots(host)).toBe(1);
  });
});

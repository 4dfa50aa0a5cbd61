import { expect, it } from 'vitest';
import { hostWithSource } from '../simulator/support.ts';
import { countOf, create, does, fails } from './support.ts';

it('undo lost when the process dies: after a kill at any change bofh recover undoes everything, and a second run changes nothing', async () => {
  const changes = await countOf(async () => hostWithSource(), create);

  let whole = 0;

  for (let nth = 1; nth < changes; nth += 1) {
    const host = hostWithSource();
    const before = host.snapshot();
    host.fault({ nth, mode: 'acts then crash' });
    await fails(host, create);
    host.clearFaults();

    const again = host.restart();
    expect(again.snapshot(), `killed at change ${String(nth)}`).not.toBe(before);
    await does(again, 'recover');

    const after = again.snapshot();
    // Killed after the commit it is whole; else nothing of it is left.
    const isWhole = after.includes('domain web1 ') && after.includes('"/etc/xen/web1.cfg"');
    if (isWhole) whole += 1;
    else expect(after, `killed at change ${String(nth)}`).toBe(before);
    await does(again, 'recover');
    expect(again.snapshot()).toBe(after);
    if (isWhole) await does(again, 'vm remove web1 --force-off');
    expect(again.snapshot()).toBe(before);
  }

  expect(whole).toBeLessThan(changes / 2);
});

import { describe } from 'vitest';
import { atomic, vm, withBofh } from '../../../src/index.ts';
import { fork } from '../../../src/simulator/fork.ts';
import { editFstab, hostWithData } from '../vm/tree-support.ts';
import { bofhOn } from './support.ts';
import { type Trial, testSweep } from './sweep.ts';

async function withTree() {
  const host = await hostWithData();
  editFstab(host, (text) => `${text}/dev/xvdc /srv xfs defaults 0 2\n`);
  return host;
}

async function withMounted() {
  const host = await withTree();
  await withBofh(bofhOn(host), () => vm.mount('web1'));
  return host;
}

const [off, mounted] = [withTree(), withMounted()];

const mountTwice: Trial = {
  start: async () => fork(await off),
  work: (host) =>
    withBofh(bofhOn(host), () =>
      atomic('there and back', async (tx) => {
        await tx.vm.mount('web1');
        await tx.vm.unmount('web1');
        await tx.vm.mount('web1', { path: '/mnt' });
        await tx.vm.unmount('web1');
        await tx.vm.mount('web1', { mode: 'ro' });
      }),
    ),
};

const unmountAndStart: Trial = {
  start: async () => fork(await mounted),
  work: (host) =>
    withBofh(bofhOn(host), () =>
      atomic('start it', async (tx) => {
        await tx.vm.unmount('web1');
        await tx.vm.set('web1', { memory: '128m', autostart: true });
        await tx.vm.start('web1');
      }),
    ),
};

describe('the tree of a guest, mounted, unmounted and mounted again', { timeout: 240_000 }, () => {
  testSweep(mountTwice);
});

describe('a guest that is unmounted and started', { timeout: 240_000 }, () => {
  testSweep(unmountAndStart, { crashes: ['acts then crash'], afterJournal: ['recover'] });
});

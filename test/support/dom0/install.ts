import { fileURLToPath } from 'node:url';
import type { Machine } from '../rig/index.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** The policy of the emulated dom0, as an administrator would write it. */
const site = `import { defineSite } from 'bofh';

export default defineSite({
  volumeGroup: 'vg0',
  guestKernel: '/boot/guest-vmlinuz',
  guestRamdisk: '/boot/guest-initrd',
});
`;

/** Puts the built bofh into a machine as an administrator would: one folder, one link, one site file. */
export async function installBofh(machine: Machine): Promise<void> {
  await machine.put(`${root}/dist`, '/opt/bofh/dist');
  await machine.put(`${root}/package.json`, '/opt/bofh/package.json');
  await machine.run(
    'chown -R root:root /opt/bofh; ln -sfn /opt/bofh/dist/bofh.js /usr/local/sbin/bofh; install -d -m 755 /etc/bofh',
  );
  await machine.putText('/etc/bofh/site-specific.ts', site);
}

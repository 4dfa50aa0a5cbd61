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

/** A script that creates a file. */
export const firstChange = (path: string): string =>
  `import { atomic } from 'bofh';\nawait atomic('first', (tx) => tx.file.create({ path: '${path}', content: '' }));\n`;

/** Puts the built bofh into a machine as an administrator would: one folder, one link, one site file. */
export async function installBofh(machine: Machine): Promise<void> {
  await machine.put(`${root}/dist`, '/opt/bofh/dist');
  await machine.put(`${root}/package.json`, '/opt/bofh/package.json');
  await machine.run(
    'chown -R root:root /opt/bofh; ln -sfn /opt/bofh/dist/bofh.cjs /usr/local/sbin/bofh; install -d -m 755 /etc/bofh',
  );
  await machine.putText('/etc/bofh/site-specific.ts', site);
  // As on a host where bofh has changed something before: it keeps its compiled code then.
  await machine.putText('/root/first.ts', firstChange('/root/first'));
  await machine.run(
    'bofh --state-dir /root/first-state run /root/first.ts && rm -r /root/first.ts /root/first /root/first-state',
  );
}

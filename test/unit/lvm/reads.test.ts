import { expect, it } from 'vitest';
import { usableVg } from '../../../src/lvm/reads.ts';
import { treeHost } from '../blockdevice/tree-host.ts';

it('refuses a volume group on a host without any, and names the command that creates one', async () => {
  const host = treeHost({}, () => '{"report":[]}');

  await expect(usableVg(host, 'vg0')).rejects.toMatchObject({
    message: 'there is no volume group "vg0"',
    remedy: 'there is no group at all; to create it: bofh lvm vg create vg0 DEVICE',
  });
});

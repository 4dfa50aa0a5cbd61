import {
  imageBytes,
  imageCheck,
  imageCompare,
  imageConvert,
  imageInfo,
} from '../../../../src/copy/image-commands.ts';
import type { Group } from '../situation.ts';

const at = (name: string): string => `/srv/images/${name}`;
const device = '/dev/loop3';
const table = { from: 512, bytes: 92 };
const part = { from: 1024 ** 2, bytes: 30 * 1024 ** 2 };
const partitioned = { source: at('disk.qcow2'), format: 'qcow2', part, device } as const;

/** Images of disks: raw, qcow2, those that need other files, damaged ones, and copies onto a device. */
export const image: Group = {
  name: 'image',
  situations: [
    {
      name: 'qemu-img/info-raw',
      given: `
        mkdir -p /srv/images; cd /srv/images; truncate --size 32M web.img; truncate --size 32M target; truncate --size 48M large.img
        mkfs.ext4 -q web.img; losetup ${device} target
        qemu-img convert -O qcow2 web.img web.qcow2
        qemu-img create -q -f qcow2 -b web.qcow2 -F qcow2 child.qcow2
        qemu-img create -q -f qcow2 -o data_file=outside.raw,data_file_raw=on outside.qcow2 32M
        qemu-img create -q -f qcow2 --object secret,id=s,data=x -o encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10 secret.qcow2 32M
        head -c 300000 web.qcow2 > cut.qcow2`,
      command: imageInfo(at('web.img'), 'raw'),
      answers: 'parsed',
    },
    { name: 'qemu-img/info-qcow2', command: imageInfo(at('web.qcow2'), 'qcow2'), answers: 'parsed' },
    { name: 'qemu-img/info-backing', command: imageInfo(at('child.qcow2'), 'qcow2'), answers: 'parsed' },
    { name: 'qemu-img/info-data-file', command: imageInfo(at('outside.qcow2'), 'qcow2'), answers: 'parsed' },
    { name: 'qemu-img/info-encrypted', command: imageInfo(at('secret.qcow2'), 'qcow2'), answers: 'parsed' },
    { name: 'qemu-img/info-other-format', command: imageInfo(at('web.img'), 'qcow2'), answers: 'unknown' },
    { name: 'qemu-img/info-missing', command: imageInfo(at('none.qcow2'), 'qcow2'), answers: 'not-found' },
    {
      name: 'qemu-img/info-not-allowed',
      command: imageInfo('/etc/shadow', 'raw'),
      as: 'nobody',
      answers: 'denied',
    },
    { name: 'qemu-img/check-whole', command: imageCheck(at('web.qcow2')), answers: 'parsed' },
    { name: 'qemu-img/check-truncated', command: imageCheck(at('cut.qcow2')), answers: 'parsed' },
    {
      name: 'qemu-img/convert',
      command: imageConvert({ source: at('web.qcow2'), format: 'qcow2', from: 'file', device }),
      answers: 'parsed',
    },
    // It exits 0, with zeros in place of what is missing.
    {
      name: 'qemu-img/convert-truncated',
      command: imageConvert({ source: at('cut.qcow2'), format: 'qcow2', from: 'file', device }),
      answers: 'parsed',
    },
    {
      name: 'qemu-img/convert-too-large',
      command: imageConvert({ source: at('large.img'), format: 'raw', from: 'file', device }),
      answers: 'no-space',
    },
    {
      name: 'qemu-img/convert-missing-target',
      command: imageConvert({ source: at('web.img'), format: 'raw', from: 'file', device: '/dev/none' }),
      answers: 'not-found',
    },
    {
      name: 'qemu-img/compare-differs',
      given: `cd /srv/images; qemu-img convert -n -f raw -O raw web.img ${device}; printf x | dd of=${device} bs=1 seek=5000000 conv=notrunc status=none`,
      command: imageCompare({ source: at('web.qcow2'), format: 'qcow2', device }),
      answers: 'parsed',
    },
    {
      name: 'qemu-img/compare-same',
      given: `cd /srv/images; qemu-img convert -n -f raw -O raw web.img ${device}`,
      command: imageCompare({ source: at('web.qcow2'), format: 'qcow2', device }),
      answers: 'parsed',
    },
    {
      name: 'qemu-img/compare-shorter',
      given: `losetup -d ${device}; truncate --size 40M /srv/images/target; losetup ${device} /srv/images/target`,
      command: imageCompare({ source: at('web.qcow2'), format: 'qcow2', device }),
      answers: 'parsed',
    },
    {
      name: 'qemu-io/read',
      given: `
        cd /srv/images; truncate --size 32M disk.img
        printf 'label: gpt\nlabel-id: 11111111-2222-4333-8444-555555555555\nstart=2048,size=61440,uuid=11111111-2222-4333-8444-666666666666\n' | sfdisk -q disk.img
        qemu-img convert -c -f raw -O qcow2 disk.img disk.qcow2`,
      command: imageBytes(at('disk.qcow2'), 'qcow2', table),
      answers: 'parsed',
    },
    {
      name: 'qemu-io/read-behind-the-end',
      command: imageBytes(at('disk.qcow2'), 'qcow2', { from: 32 * 1024 ** 2, bytes: 16 }),
      answers: 'unknown',
    },
    {
      name: 'qemu-io/read-missing',
      command: imageBytes(at('none.qcow2'), 'qcow2', table),
      answers: 'not-found',
    },
    {
      name: 'qemu-img/convert-partition',
      command: imageConvert({ ...partitioned, from: 'file' }),
      answers: 'parsed',
    },
    { name: 'qemu-img/compare-partition', command: imageCompare(partitioned), answers: 'parsed' },
  ],
};
